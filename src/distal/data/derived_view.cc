#include "distal/data/derived_view.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

uint8_t* frame_of(torch::Tensor& frames, int64_t t) {
  return frames.mutable_data_ptr<uint8_t>() + t * frames.stride(0);
}

// Where row y of the square of side `side` in the middle of a frame begins.
const uint8_t* centre_row(const FrameView& view, int64_t t, int64_t side, int64_t y) {
  const int64_t top = (view.height - side) / 2;
  const int64_t left = (view.width - side) / 2;
  return view.frames[t] + ((top + y) * view.width + left) * 3;
}

}  // namespace

FrameView mix_views(const FrameView& a, const FrameView& b, double lambda, double fade) {
  if (a.size() != b.size())
    fail("a mix of clips of {} and of {} frames; both must have as many", a.size(), b.size());
  const int64_t frames = a.size();
  const int64_t side = std::min({a.height, a.width, b.height, b.width});
  torch::Tensor mix = torch::empty({frames, side, side, 3}, torch::kUInt8);
  for (int64_t t = 0; t < frames; ++t) {
    const double along =
        frames > 1 ? 2.0 * static_cast<double>(t) / static_cast<double>(frames - 1) - 1 : 0;
    const auto share = static_cast<float>(lambda + along * fade * std::min(lambda, 1 - lambda));
    uint8_t* out = frame_of(mix, t);
    for (int64_t y = 0; y < side; ++y) {
      const uint8_t* first = centre_row(a, t, side, y);
      const uint8_t* second = centre_row(b, t, side, y);
      for (int64_t x = 0; x < side * 3; ++x)
        *out++ = static_cast<uint8_t>(share * static_cast<float>(first[x]) +
                                      (1 - share) * static_cast<float>(second[x]) + 0.5f);
    }
  }
  return FrameView::of(mix);
}

FrameView cut_view(const FrameView& a, Random random) {
  const auto whole = static_cast<double>(std::min(a.height, a.width));
  const auto side = static_cast<int64_t>(std::lround(whole * (0.75 + 0.25 * random.uniform())));
  const int64_t top = random.below(a.height - side + 1);
  const int64_t left = random.below(a.width - side + 1);
  torch::Tensor cut = torch::empty({a.size(), side, side, 3}, torch::kUInt8);
  for (int64_t t = 0; t < a.size(); ++t) {
    for (int64_t y = 0; y < side; ++y)
      std::memcpy(frame_of(cut, t) + y * side * 3, a.frames[t] + ((top + y) * a.width + left) * 3,
                  side * 3);
  }
  return FrameView::of(cut);
}

}  // namespace distal
