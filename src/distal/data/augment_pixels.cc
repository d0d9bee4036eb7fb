#include "distal/data/augment_pixels.h"

#include <numbers>
#include <numeric>

namespace distal {

double mean_grey(const float* clip, int64_t plane) {
  double sum[3] = {};
  for (int64_t c = 0; c < 3; ++c)
    sum[c] = std::accumulate(clip + c * plane, clip + (c + 1) * plane, 0.0);
  return (kRed * sum[0] + kGreen * sum[1] + kBlue * sum[2]) / static_cast<double>(plane);
}

Window whole(const ClipSize& size) {
  const auto width = static_cast<double>(size.width);
  const auto height = static_cast<double>(size.height);
  return {(width - 1) / 2, (height - 1) / 2, width, height};
}

Affine affine_of(const Window& window, const ClipSize& size) {
  const Window frame = whole(size);
  const double angle = window.turned_degrees * std::numbers::pi / 180;
  const double wide = window.wide / frame.wide;
  const double high = window.high / frame.high;
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  Affine from{cosine * wide, -sine * high, 0, sine * wide, cosine * high, 0};
  from.x0 = window.x - from.xx * frame.x - from.xy * frame.y;
  from.y0 = window.y - from.yx * frame.x - from.yy * frame.y;
  return from;
}

void warp_frame(const float* clip, const ClipSize& size, int64_t t, const Affine& from,
                float* out) {
  const auto last_x = static_cast<double>(size.width - 1);
  const auto last_y = static_cast<double>(size.height - 1);
  constexpr double kHalf = 0.5 + 1e-9;
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      const auto px = static_cast<double>(x);
      const auto py = static_cast<double>(y);
      const double sx = from.xx * px + from.xy * py + from.x0;
      const double sy = from.yx * px + from.yy * py + from.y0;
      const bool outside = sx < -kHalf || sx > last_x + kHalf || sy < -kHalf || sy > last_y + kHalf;
      const double cx = std::clamp(sx, 0.0, last_x);
      const double cy = std::clamp(sy, 0.0, last_y);
      const auto left = static_cast<int64_t>(cx);
      const auto top = static_cast<int64_t>(cy);
      const int64_t right = left < size.width - 1 ? 1 : 0;
      const int64_t below = top < size.height - 1 ? size.width : 0;
      const auto wx = static_cast<float>(cx - static_cast<double>(left));
      const auto wy = static_cast<float>(cy - static_cast<double>(top));
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t frame = c * size.plane() + t * size.frame();
        const float* at = clip + frame + top * size.width + left;
        const float above = at[0] + (at[right] - at[0]) * wx;
        const float under = at[below] + (at[below + right] - at[below]) * wx;
        out[frame + y * size.width + x] = outside ? 0 : above + (under - above) * wy;
      }
    }
  }
}

}  // namespace distal
