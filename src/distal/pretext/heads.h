#pragma once
// Heads for self-supervised pre-training on the features of a backbone. They are discarded
// afterwards.

#include <cstdint>
#include <memory>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace distal {

class Linear;
class Random;

/// Linear, layer norm, ReLU, linear, for projections and predictors. Deviation: the papers have
/// batch norm or no norm. Layer norm (without weights) also works for a single clip. Weights are
/// Kaiming normal, biases 0.
class Mlp final : public torch::nn::Module {
 public:
  Mlp(int64_t in, int64_t hidden, int64_t out, const Random& random);
  torch::Tensor forward(const torch::Tensor& x);  // float32 [N, in] to [N, out]

 private:
  std::shared_ptr<Linear> first_, second_;
};

/// A linear layer with weights N(0, 0.01) and biases 0, so its initial logits are almost equal.
std::shared_ptr<Linear> task_head(int64_t in, int64_t out, const Random& random);

}  // namespace distal
