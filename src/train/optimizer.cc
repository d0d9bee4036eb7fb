#include "train/optimizer.h"

#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

namespace distal {
namespace {

using torch::optim::AdamWParamState;
using torch::optim::SGDParamState;

std::vector<torch::optim::OptimizerParamGroup> groups(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> matrices, vectors;  // norms and biases have one dimension
  for (const auto& parameter : parameters) (parameter.dim() > 1 ? matrices : vectors).push_back(parameter);
  std::vector<torch::optim::OptimizerParamGroup> made;
  made.emplace_back(matrices);
  made.emplace_back(vectors);
  return made;
}

}  // namespace

struct Optimizer::Library {
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  bool adam = false;
};

Optimizer::Optimizer(const Net& net, const TrainingOptions& options) : library_(std::make_unique<Library>()) {
  for (const auto& item : net.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    names_.push_back(item.key());
    parameters_.push_back(item.value());
  }
  if (parameters_.empty()) fail("student.freeze: every parameter is frozen; leave at least the head free");
  library_->adam = options.optimizer == "adamw";
  if (library_->adam) {
    library_->optimizer = std::make_unique<torch::optim::AdamW>(
        groups(parameters_), torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));
    static_cast<torch::optim::AdamWOptions&>(library_->optimizer->param_groups()[1].options()).weight_decay(0);
  } else {
    library_->optimizer = std::make_unique<torch::optim::SGD>(
        groups(parameters_), torch::optim::SGDOptions(options.learning_rate)
                                 .momentum(options.momentum)
                                 .nesterov(options.momentum > 0)
                                 .weight_decay(options.weight_decay));
    static_cast<torch::optim::SGDOptions&>(library_->optimizer->param_groups()[1].options()).weight_decay(0);
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::zero_grad() { library_->optimizer->zero_grad(); }

void Optimizer::step(double learning_rate) {
  for (auto& group : library_->optimizer->param_groups()) group.options().set_lr(learning_rate);
  library_->optimizer->step();
}

Tensors Optimizer::state() const {
  Tensors tensors;
  auto& states = library_->optimizer->state();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto at = states.find(parameters_[i].unsafeGetTensorImpl());
    if (at == states.end()) continue;
    if (library_->adam) {
      auto& state = static_cast<AdamWParamState&>(*at->second);
      tensors.emplace_back("optimizer.first." + names_[i], state.exp_avg());
      tensors.emplace_back("optimizer.second." + names_[i], state.exp_avg_sq());
      tensors.emplace_back("optimizer.steps." + names_[i], torch::tensor({state.step()}, torch::kInt64));
    } else {
      tensors.emplace_back("optimizer.first." + names_[i], static_cast<SGDParamState&>(*at->second).momentum_buffer());
    }
  }
  return tensors;
}

void Optimizer::load(const Tensors& tensors) {
  std::map<std::string, torch::Tensor> by_name(tensors.begin(), tensors.end());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto first = by_name.find("optimizer.first." + names_[i]);
    if (first == by_name.end()) continue;
    auto& slot = library_->optimizer->state()[parameters_[i].unsafeGetTensorImpl()];
    if (library_->adam) {
      auto state = std::make_unique<AdamWParamState>();
      state->exp_avg(first->second.clone());
      state->exp_avg_sq(by_name.at("optimizer.second." + names_[i]).clone());
      state->step(by_name.at("optimizer.steps." + names_[i]).item<int64_t>());
      slot = std::move(state);
    } else {
      auto state = std::make_unique<SGDParamState>();
      state->momentum_buffer(first->second.clone());
      slot = std::move(state);
    }
  }
}

}  // namespace distal
