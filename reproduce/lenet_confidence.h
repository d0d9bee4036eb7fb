#pragma once
// How sure a LeNet-5 is of mixes of 32 x 32 images, several times as fast as its forward. Two facts
// are used: the first convolution is affine, so that it is computed once an image and not once a
// mix,
//
//   conv(lambda x_i + (1 - lambda) x_j) = lambda conv(x_i) + (1 - lambda) conv(x_j),
//
// and with the mixes as the innermost dimension the second convolution and its pool stay in
// registers. Exact but for the order of sums. Safe to call from several threads; a call uses
// LibTorch's threads.

#include <torch/types.h>

#include "distal/active/mixup.h"
#include "distal/models/model.h"

namespace distal::reproduce {

class LenetConfidence {
 public:
  /// net: a `lenet5` of any width, in evaluation mode; pixels: uint8 [N, 32, 32]. Throws
  /// std::logic_error where its confidences differ from those of net.forward by more than 1e-4:
  /// checked on a few mixes.
  LenetConfidence(Net& net, const torch::Tensor& pixels);
  /// As Confidence: max_y P(y | mix), float32 [B, L].
  torch::Tensor operator()(const torch::Tensor& i, const torch::Tensor& j,
                           const torch::Tensor& lambdas) const;

 private:
  torch::Tensor block(const int64_t* i, const int64_t* j, int64_t pairs,
                      const torch::Tensor& lambdas) const;
  torch::Tensor classes(const torch::Tensor& second_maps) const;

  int64_t images_, first_, second_;  // N, channels of the two convolutions
  torch::Tensor maps_;  // float32 [N, 14 y, 14 x, first, 4]: what each max pool will choose from
  torch::Tensor second_weight_, second_bias_;  // as Convolution
  torch::Tensor third_weight_, third_bias_, hidden_weight_, hidden_bias_, weight_, bias_;
};

}  // namespace distal::reproduce
