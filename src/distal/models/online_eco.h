#pragma once
// ECO on a stream (Zolfaghari, Singh, Brox, "ECO", ECCV 2018, arXiv 1804.09066, online recognition,
// in the concrete form of its published script). Every 16 frames form a slot, the last five slots
// are remembered, and the 16 frames of a clip come from them so that the recent past counts most.
// From old to new:
//
//   1 slot 16 | 2 slots 8 8 | 3 slots 4 4 8 | 4 slots 2 2 4 8 | 5 slots 1 1 2 4 8
//
// evenly spaced from a slot's first frame to its last, the nearest frame to each point; a single
// one is the slot's first. The scores of successive clips are smoothed recursively: P <- (P_new +
// P) / 2, the first P being the first scores. Positions only: the caller keeps the frames. One
// thread; one object per stream.

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace distal {

class OnlineEco {
 public:
  static constexpr int64_t kSlotFrames = 16;
  static constexpr int64_t kSlots = 5;
  static constexpr int64_t kClipFrames = 16;

  /// One more frame came in. If it completes a slot: the clip's kClipFrames positions in the stream
  /// (0 is the first frame), oldest first; otherwise nothing.
  std::vector<int64_t> add_frame();
  /// No clip to come holds a frame before this position; at most kSlots * kSlotFrames frames have
  /// to be kept.
  int64_t first_needed() const;
  /// The newest clip's logits, float32 [K], to the smoothed ones. Every call has the same K.
  torch::Tensor smooth(const torch::Tensor& logits);

 private:
  int64_t frames_ = 0;
  torch::Tensor smoothed_;  // float32 [K]; undefined before the first clip
};

}  // namespace distal
