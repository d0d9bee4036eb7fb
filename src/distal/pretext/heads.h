#pragma once
// The heads that self-supervision puts on a backbone's features and throws away afterwards.

#include <memory>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/base/random.h"
#include "distal/models/layers.h"

namespace distal {

/// Linear, layer norm, ReLU, linear: projections and predictors. Layer norm (without weights) where
/// the papers have batch norm or none: a head may see a single clip of a batch. Weights are Kaiming
/// normal, biases 0.
class Mlp final : public torch::nn::Module {
 public:
  Mlp(int64_t in, int64_t hidden, int64_t out, const Random& random);
  torch::Tensor forward(const torch::Tensor& x);  // float32 [N, in] to [N, out]

 private:
  std::shared_ptr<Linear> first_, second_;
};

/// One linear layer that begins with almost equal logits: weights N(0, 0.01), biases 0.
std::shared_ptr<Linear> task_head(int64_t in, int64_t out, const Random& random);

}  // namespace distal
