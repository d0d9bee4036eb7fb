#include "distal/models/online_eco.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"

namespace distal {
namespace {

// Rows: 1 to 5 slots, oldest first.
constexpr int64_t kTable[OnlineEco::kSlots][OnlineEco::kSlots] = {
    {16}, {8, 8}, {4, 4, 8}, {2, 2, 4, 8}, {1, 1, 2, 4, 8}};

// The i-th of `count` points from 0 to kSlotFrames - 1, to the nearest whole number.
int64_t point(int64_t i, int64_t count) {
  if (count == 1) return 0;
  const int64_t steps = count - 1;
  return (2 * i * (OnlineEco::kSlotFrames - 1) + steps) / (2 * steps);
}

}  // namespace

std::vector<int64_t> OnlineEco::add_frame() {
  if (++frames_ % kSlotFrames != 0) return {};
  const int64_t seen = frames_ / kSlotFrames;
  const int64_t slots = std::min(seen, kSlots);
  std::vector<int64_t> clip;
  for (int64_t s = 0; s < slots; ++s) {
    const int64_t begin = (seen - slots + s) * kSlotFrames;
    const int64_t count = kTable[slots - 1][s];
    for (int64_t i = 0; i < count; ++i) clip.push_back(begin + point(i, count));
  }
  return clip;
}

int64_t OnlineEco::first_needed() const {
  return std::max<int64_t>(0, frames_ / kSlotFrames + 1 - kSlots) * kSlotFrames;
}

at::Tensor OnlineEco::smooth(const at::Tensor& logits) {
  expect(!smoothed_.defined() || smoothed_.sizes() == logits.sizes(),
         "the clips of a stream have the same classes");
  smoothed_ = smoothed_.defined() ? (logits + smoothed_) / 2 : logits.clone();
  return smoothed_;
}

}  // namespace distal
