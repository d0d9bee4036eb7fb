#pragma once
// Augmentation of single clips: a crop of random scale and position, a horizontal flip, and colour.
// The crop is the multi-scale crop of Wang et al., "Temporal Segment Networks", ECCV 2016, arXiv
// 1608.00859, but square. A flip may change the label (left becomes right). The parameters are
// drawn once per clip, because different draws per frame would look like motion. All functions are
// pure functions of their arguments and of the Random. Thread-safe.

#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/choice.h"
#include "distal/base/nouns.h"
#include "distal/data/frame_view.h"

namespace distal {

class Augmentation;
class OptionVisitor;
class Random;

struct AugmentOptions {
  // crop side relative to the short side, drawn uniformly; empty: centre crop
  std::vector<double> scales = {1, 0.875, 0.75};
  double flip = 0;                       // probability of a horizontal flip
  std::vector<std::string> flip_labels;  // "left:right" pairs that change places under a flip
  // +- range of the factor around 1
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;
  // augmentation of the whole batch after these; no effect before `visit`
  Choice<Augmentation> family{"none"};
  void visit(OptionVisitor& v) const;
  bool operator==(const AugmentOptions&) const = default;

  std::vector<int64_t> flip_map;  // [K] class under a flip, from `resolve`; empty: labels stay
  /// Computes flip_map from flip_labels. Throws Error: an entry that is not a pair, an unknown
  /// class, or a class named twice.
  void resolve(const Classes& classes);
  /// A warning if clips are flipped, class names contain left or right, and flip_labels is empty.
  /// Otherwise empty.
  std::string flip_warning(const Classes& classes) const;
  /// Whether two draws of one clip may differ. Ignores `family`.
  bool draws_something() const;
  /// These options without flips if a flip changes labels.
  AugmentOptions label_safe() const;
};

/// The drawn crop and colour change of a clip. It applies to all frames of the clip.
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

/// Applies a draw. Writes float32 [3, T, size, size] in [-1, 1] to `out`. Crops first. Then scales
/// bilinearly with half-pixel centres and without a low-pass filter. Sources are normally 8/7 of
/// the size. Sources above twice the size alias. Then changes brightness, contrast around the mean
/// grey of the clip, and saturation around the grey of each pixel (ITU-R BT.601). Clamps the
/// result. Uses no tensor operations.
void apply_augment(const FrameView& frames, const AugmentDraw& draw, int64_t size_px, float* out);

/// Augments frames uint8 [T, H, W, 3] to a clip float32 [3, T, size, size] in [-1, 1]. If `flipped`
/// is set, the caller must map the label by flip_map.
struct Augmented {
  torch::Tensor clip;
  bool flipped = false;
};
Augmented augment(const torch::Tensor& frames, int64_t size_px, const AugmentOptions& options,
                  Random& random);
/// The square centre crop of the short side, scaled to size_px.
torch::Tensor centre(const torch::Tensor& frames, int64_t size_px);

}  // namespace distal
