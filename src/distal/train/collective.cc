#include "distal/train/collective.h"

#include <numeric>

#include "distal/base/error.h"
#include "distal/models/device.h"

namespace distal {
namespace {

class SingleRank final : public Collective {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  void all_reduce_mean(torch::Tensor&) override {}
  void broadcast(torch::Tensor&) override {}
  std::vector<int64_t> all_gather(int64_t count) override { return {count}; }
};

// Every gradient times `factor` one after another, 0 where there is none, and then a number for
// each parameter: 1 where it has a gradient.
torch::Tensor flattened(const std::vector<torch::Tensor>& parameters, double factor) {
  std::vector<torch::Tensor> parts;
  std::vector<double> there;
  for (const auto& parameter : parameters) {
    const torch::Tensor& gradient = parameter.grad();
    there.push_back(gradient.defined() ? 1 : 0);
    parts.push_back(gradient.defined() ? gradient.reshape({-1}) * factor
                                       : torch::zeros({parameter.numel()}, parameter.options()));
  }
  parts.push_back(torch::tensor(there).to(parameters.front().options()));
  return torch::cat(parts);
}

void put_back(const torch::Tensor& flat, const std::vector<torch::Tensor>& parameters) {
  const auto count = std::ssize(parameters);
  const torch::Tensor there = on_cpu(flat.narrow(0, flat.size(0) - count, count));
  int64_t first = 0;
  for (int64_t i = 0; i < count; ++i) {
    torch::Tensor parameter = parameters[i];
    const torch::Tensor mean = flat.narrow(0, first, parameter.numel()).view_as(parameter);
    first += parameter.numel();
    if (there[i].item<double>() == 0) continue;
    if (!parameter.grad().defined()) parameter.mutable_grad() = torch::zeros_like(parameter);
    parameter.mutable_grad().copy_(mean);
  }
}

}  // namespace

Collective& single_rank() {
  static SingleRank alone;
  return alone;
}

void begin_together(Collective& collective, int64_t step,
                    const std::vector<torch::Tensor>& tensors) {
  for (const int64_t other : collective.all_gather(step)) {
    if (other == step) continue;
    fail(
        "training: one rank goes on from step {}, another from step {}; let all ranks write to one "
        "shared folder, or remove their checkpoints",
        std::min(step, other), std::max(step, other));
  }
  const torch::NoGradGuard no_grad;
  for (torch::Tensor tensor : tensors) collective.broadcast(tensor);
}

void average_gradients(Collective& collective, const std::vector<torch::Tensor>& parameters,
                       int64_t clips) {
  if (collective.size() == 1) return;  // a step of one process copies nothing
  const torch::NoGradGuard no_grad;
  const std::vector<int64_t> counts = collective.all_gather(clips);
  const auto all = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const double weight = static_cast<double>(clips * collective.size()) / all;
  torch::Tensor flat = flattened(parameters, weight);
  collective.all_reduce_mean(flat);
  put_back(flat, parameters);
}

}  // namespace distal
