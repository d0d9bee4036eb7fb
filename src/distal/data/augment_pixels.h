#pragma once
// Pixels of clips in [-1, 1]: grey, and frames moved, turned and scaled. Plain loops, no tensor
// operations. Thread-safe.

#include "distal/data/augment_batch.h"

namespace distal {

// of grey: ITU-R BT.601
constexpr float kRed = 0.299f;
constexpr float kGreen = 0.587f;
constexpr float kBlue = 0.114f;

/// Mean grey of a clip whose channels have `plane` pixels.
double mean_grey(const float* clip, int64_t plane);

/// Where a pixel comes from: that at (x, y) from (xx x + xy y + x0, yx x + yy y + y0), in pixels; 0
/// is the centre of the first.
struct Affine {
  double xx = 1;
  double xy = 0;
  double x0 = 0;
  double yx = 0;
  double yy = 1;
  double y0 = 0;
};
/// What the frame then shows: `wide` x `high` pixels about (x, y), turned counter-clockwise.
struct Window {
  double x = 0;
  double y = 0;
  double wide = 0;
  double high = 0;
  double turned_degrees = 0;
};
Affine affine_of(const Window& window, const ClipSize& size);
/// The whole frame.
Window whole(const ClipSize& size);

/// Frame t of `out` from frame t of `clip`: bilinear, mid-grey (0) where the source lies outside.
void warp_frame(const float* clip, const ClipSize& size, int64_t t, const Affine& from, float* out);

}  // namespace distal
