#pragma once
// Pixels of clips in [-1, 1]: grey, and frames moved, turned and scaled. Plain loops, no tensor operations. Thread-safe.

#include "distal/data/augment_batch.h"

namespace distal {

constexpr float kRed = 0.299f, kGreen = 0.587f, kBlue = 0.114f;  // of grey: ITU-R BT.601

/// Mean grey of a clip whose channels have `plane` pixels.
double mean_grey(const float* clip, int64_t plane);

/// Where a pixel comes from: that at (x, y) from (xx x + xy y + x0, yx x + yy y + y0), in pixels; 0 is the centre of the first.
struct Affine {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};
/// What the frame then shows: `wide` x `high` pixels about (x, y), turned counter-clockwise.
struct Window {
  double x = 0, y = 0, wide = 0, high = 0, turned_degrees = 0;
};
Affine affine_of(const Window& window, const ClipSize& size);
/// The whole frame.
Window whole(const ClipSize& size);

/// Frame t of `out` from frame t of `clip`: bilinear, mid-grey (0) where the source lies outside.
void warp_frame(const float* clip, const ClipSize& size, int64_t t, const Affine& from, float* out);

}  // namespace distal
