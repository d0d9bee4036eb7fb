#pragma once
// The output of a model.

#include <torch/types.h>

namespace distal {

struct Output {
  torch::Tensor logits;  // float32 [N, K]
  // float32 [N, D], the input of the classifier; networks of single frames: the mean over frames
  torch::Tensor embedding;
};

}  // namespace distal
