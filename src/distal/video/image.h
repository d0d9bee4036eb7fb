#pragma once
// A still picture for reports and pages. Thread-safe.

#include <string>

#include <torch/types.h>

namespace distal {

/// JPEG bytes of a frame uint8 [H, W, 3], RGB.
std::string encode_jpeg(const torch::Tensor& frame);

}  // namespace distal
