#include "distal/learn/linear_probe.h"

#include <ATen/ATen.h>
#include <torch/optim/lbfgs.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/distill/loss.h"
#include "distal/models/model.h"

namespace distal {
namespace {

constexpr double kConstant = 1e-6;  // deviation of a feature below which it says nothing

// Rows of length 1.
torch::Tensor directions(const torch::Tensor& rows) {
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace

torch::Tensor LinearProbe::logits(const torch::Tensor& features) const {
  return at::linear(features, weight, bias);
}

LinearProbe linear_probe(const torch::Tensor& features, const torch::Tensor& probabilities,
                         const torch::Tensor& weights, double c, const Task& task) {
  expect(features.size(0) == probabilities.size(0) && features.size(0) == weights.size(0),
         "a row of each for every clip");
  const torch::Tensor raw = features.detach().to(torch::kFloat64);
  const torch::Tensor mean = raw.mean(0);
  const torch::Tensor deviation = raw.std(0, /*unbiased=*/false);
  const torch::Tensor scale =
      torch::where(deviation > kConstant, 1 / deviation, torch::zeros_like(deviation));
  const torch::Tensor x = (raw - mean) * scale;
  const torch::Tensor p = probabilities.to(torch::kFloat64);
  const torch::Tensor w = weights.to(torch::kFloat64);
  const double mass = w.sum().item<double>();

  const torch::AutoGradMode gradient(true);
  const torch::Tensor weight =
      torch::zeros({p.size(1), x.size(1)}, torch::kFloat64).requires_grad_();
  const torch::Tensor bias = torch::zeros({p.size(1)}, torch::kFloat64).requires_grad_();
  const auto options = torch::optim::LBFGSOptions(1)
                           .max_iter(500)
                           .history_size(20)
                           .tolerance_grad(1e-7)
                           .tolerance_change(1e-12)
                           .line_search_fn("strong_wolfe");
  torch::optim::LBFGS optimizer({weight, bias}, options);
  optimizer.step([&] {
    check_interrupted();
    optimizer.zero_grad();
    const torch::Tensor loss =
        ((w * task.loss(at::linear(x, weight, bias), p)).sum() + weight.square().sum() / (2 * c)) /
        mass;
    loss.backward();
    return loss;
  });
  const torch::Tensor whole = weight.detach() * scale;
  return {whole.to(torch::kFloat32), (bias.detach() - whole.matmul(mean)).to(torch::kFloat32)};
}

void set_classifier(Net& net, const LinearProbe& probe) {
  const torch::NoGradGuard no_grad;
  const auto parameters = net.named_parameters();
  const auto* weight = parameters.find("fc.weight");
  const auto* bias = parameters.find("fc.bias");
  expect(weight && bias && weight->sizes() == probe.weight.sizes(),
         "the classifier is one linear layer named fc");
  weight->copy_(probe.weight);
  bias->copy_(probe.bias);
}

torch::Tensor nearest_neighbours(const torch::Tensor& known, const torch::Tensor& labels,
                                 const torch::Tensor& features, int64_t classes,
                                 int64_t neighbours) {
  const int64_t count = std::min(neighbours, known.size(0));
  expect(count > 0, "there is a neighbour");
  const auto [similarity, rows] = directions(features).matmul(directions(known).t()).topk(count, 1);
  const torch::Tensor votes = (1 + 1e-3 * similarity) / static_cast<double>(count);
  return torch::zeros({features.size(0), classes})
      .scatter_add_(1, labels.index_select(0, rows.flatten()).view_as(rows), votes);
}

double accuracy(const torch::Tensor& scores, const torch::Tensor& labels, const Task& task) {
  return task.predicted(scores).eq(labels).to(torch::kFloat64).mean().item<double>();
}

}  // namespace distal
