#pragma once
// A LeNet-5 that trains in half the time on grey images of 32 x 32: the same parameters and the
// same function up to the order of sums. LibTorch's convolution from 1 channel to 3, its pool and
// the gradient of its weights are most of a step; here they are one pass, in which only the places
// that won their pool have a gradient.

#include <torch/types.h>

#include "distal/models/model.h"

namespace distal::reproduce {

class LenetTraining final : public Net {
 public:
  /// net: a `lenet5` of any width without dropout, whose parameters are trained. Throws
  /// std::logic_error where the logits or the gradients of the two differ by more than 1e-4:
  /// checked on a few images.
  explicit LenetTraining(Model net);
  /// clips: float32 [N, 3, 1, 32, 32], the three channels all one.
  Output forward(const torch::Tensor& clips) override;
  torch::Tensor head(const torch::Tensor& embedding) override { return net_->head(embedding); }
  int64_t embedding_size() const override { return net_->embedding_size(); }

 private:
  void check();
  Model net_;
  torch::Tensor first_, first_bias_, second_, second_bias_, third_, third_bias_, hidden_,
      hidden_bias_;
};

}  // namespace distal::reproduce
