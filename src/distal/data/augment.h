#pragma once
// Augmentation, its parameters drawn once per clip so that frames stay consistent (drawn per frame
// they would be motion): scale and crop at a random place (the multi-scale crop of Wang et al.,
// "Temporal Segment Networks", ECCV 2016, arXiv 1608.00859, square), horizontal flip with a label
// map (left becomes right), colour. Everything here is a pure function of its arguments and of the
// Random; safe from any thread.

#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augmentation.h"
#include "distal/data/frame_view.h"

namespace distal {

struct AugmentOptions {
  std::vector<double> scales = {
      1, 0.875, 0.75};  // crop side over short side, drawn evenly; empty: centre crop
  double flip = 0;      // probability of a horizontal flip
  std::vector<std::string> flip_labels;  // "left:right" pairs that change places under a flip
  // +- range of the factor around 1
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;
  Choice<Augmentation> family{
      "none"};  // what happens to the clips of a batch after that; not yet `visit`ed: nothing
  void visit(OptionVisitor& v) const;
  bool operator==(const AugmentOptions&) const = default;

  std::vector<int64_t> flip_map;  // [K] class under a flip, from `resolve`; empty: labels stay
  /// Fills flip_map from flip_labels. Throws Error: not a pair, unknown class, a class named twice.
  void resolve(const Classes& classes);
  /// What the reader of a report must know where clips are flipped and the names of classes say
  /// left or right, but no flip_labels tell how they change places; else empty.
  std::string flip_warning(const Classes& classes) const;
  /// Whether two draws of one clip may differ, the family aside.
  bool draws_something() const;
  /// These without flips where labels change under them.
  AugmentOptions label_safe() const;
};

/// Where a clip is cut and how its colours change: one draw, used for each of its frames.
struct AugmentDraw {
  // px of the source
  int64_t top = 0;
  int64_t left = 0;
  int64_t side = 0;
  bool flipped = false;
  double brightness = 1;
  double contrast = 1;
  double saturation = 1;
};
AugmentDraw draw_augment(int64_t height, int64_t width, const AugmentOptions& options,
                         Random& random);
AugmentDraw centre_draw(int64_t height, int64_t width);

/// Applies a draw: writes float32 [3, T, size, size] in [-1, 1] to `out`. Crop, then bilinear
/// scaling with half-pixel centres and no low-pass filter (sources are 8/7 of the size; above twice
/// the size it aliases), then brightness, contrast around the clip's mean grey, saturation around
/// each pixel's grey (ITU-R BT.601), clamped. No tensor operations.
void apply_augment(const FrameView& frames, const AugmentDraw& draw, int64_t size_px, float* out);

/// uint8 [T, H, W, 3] to float32 [3, T, size, size] in [-1, 1]. `flipped` tells the caller to map
/// the label.
struct Augmented {
  torch::Tensor clip;
  bool flipped = false;
};
Augmented augment(const torch::Tensor& frames, int64_t size_px, const AugmentOptions& options,
                  Random& random);
/// Centre crop of the short side, scaled to size_px.
torch::Tensor centre(const torch::Tensor& frames, int64_t size_px);

}  // namespace distal
