#include "distal/train/optimizer.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/models/model.h"

namespace distal {

Optimizer::Optimizer(const Net& net, const torch::nn::Module* extra, const TrainingOptions& options)
    : adam_(options.optimizer == "adamw"),
      momentum_(options.momentum),
      weight_decay_(options.weight_decay) {
  add(net, "");
  if (parameters_.empty())
    fail("student.freeze: every parameter is frozen; leave at least the head free");
  if (extra) add(*extra, "extra.");
  moments_.resize(parameters_.size());
}

void Optimizer::add(const torch::nn::Module& module, const std::string& prefix) {
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    names_.push_back(prefix + item.key());
    parameters_.push_back(item.value());
  }
}

void Optimizer::zero_grad() {
  for (auto& parameter : parameters_) parameter.mutable_grad().reset();
}

void Optimizer::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  std::vector<size_t> rows[2][2];  // [norms and biases, which have one dimension |
                                   // matrices][stepped before | first step]
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].grad().defined())
      rows[parameters_[i].dim() > 1][!moments_[i].first.defined()].push_back(i);
  }
  for (const bool matrices : {false, true}) {
    for (const bool fresh : {false, true})
      step(rows[matrices][fresh], learning_rate, matrices ? weight_decay_ : 0, fresh);
  }
}

void Optimizer::step(const std::vector<size_t>& rows, double learning_rate, double weight_decay,
                     bool fresh) {
  if (rows.empty()) return;
  std::vector<torch::Tensor> weights, gradients, first, second, largest, steps;
  for (const size_t i : rows) {
    Moments& moments = moments_[i];
    if (fresh) moments.first = torch::zeros_like(parameters_[i]);
    if (fresh && adam_) {
      moments.second = torch::zeros_like(parameters_[i]);
      moments.steps = torch::zeros({}, parameters_[i].options().dtype(torch::kFloat32));
    }
    weights.push_back(parameters_[i]);
    gradients.push_back(parameters_[i].grad());
    first.push_back(moments.first);
    if (adam_) {
      second.push_back(moments.second);
      steps.push_back(moments.steps);
    }
  }
  if (adam_) {
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(weights, gradients, first, second, largest, steps, learning_rate, 0.9, 0.999,
                      weight_decay, 1e-8, /*amsgrad=*/false, /*maximize=*/false);
  } else {
    at::_fused_sgd_(weights, gradients, momentum_ > 0 ? first : std::vector<torch::Tensor>{},
                    weight_decay, momentum_, learning_rate,
                    /*dampening=*/0, /*nesterov=*/momentum_ > 0, /*maximize=*/false, fresh);
  }
}

Tensors Optimizer::state() const {
  Tensors tensors;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [first, second, steps] = moments_[i];
    for (const auto& [kind, tensor] :
         {std::pair("first", first), {"second", second}, {"steps", steps}}) {
      if (tensor.defined())
        tensors.emplace_back(fmt::format("optimizer.{}.{}", kind, names_[i]), tensor);
    }
  }
  return tensors;
}

void Optimizer::load(const Tensors& tensors) {
  const std::map<std::string, torch::Tensor> by_name(tensors.begin(), tensors.end());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    auto& [first, second, steps] = moments_[i];
    for (const auto& [kind, tensor] :
         {std::pair("first", &first), {"second", &second}, {"steps", &steps}}) {
      const auto at = by_name.find(fmt::format("optimizer.{}.{}", kind, names_[i]));
      if (at == by_name.end()) continue;
      *tensor = torch::empty_like(at->second, parameters_[i].device()).copy_(at->second);
    }
  }
}

}  // namespace distal
