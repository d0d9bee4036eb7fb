#pragma once
// Augmentation, its parameters drawn once per clip so that frames stay consistent: scale and crop, horizontal flip with a
// label map (left becomes right), colour.

#include <string>
#include <vector>

#include <torch/types.h>

#include "base/options.h"
#include "base/random.h"

namespace distal {

struct AugmentOptions {
  std::vector<double> scales = {1, 0.875, 0.75};  // crop side over short side, drawn evenly; empty: centre crop
  double flip = 0;                      // probability of a horizontal flip
  std::vector<std::string> flip_labels; // "left:right" pairs that change places under a flip
  double brightness = 0, contrast = 0, saturation = 0;  // +- range of the factor around 1
  void visit(OptionVisitor& v);
};

/// uint8 [T, H, W, 3] to float32 [3, T, size, size] in [-1, 1]. `flipped` tells the caller to map the label.
struct Augmented { torch::Tensor clip; bool flipped = false; };
Augmented augment(const torch::Tensor& frames, int64_t size_px, const AugmentOptions& options, Random& random);
/// Centre crop of the short side, scaled to size_px.
torch::Tensor centre(const torch::Tensor& frames, int64_t size_px);

}  // namespace distal
