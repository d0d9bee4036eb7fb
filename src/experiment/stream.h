#pragma once
// A network on a stream: frames come one after another, and every 16 that count give an answer by ECO's online rule
// (models/online_eco.h), smoothed over the answers before. The memory does not grow with the stream.

#include <deque>
#include <functional>
#include <optional>

#include "data/clip_reader.h"
#include "models/model.h"
#include "models/online_eco.h"

namespace distal {

/// Which incoming frames count. `rate` > 0 first thins them: of each 1 / rate seconds the first one, a millisecond of rounding
/// forgiven. Of those left, `dense` takes every stride-th, so that neighbours are as far apart as the network learned; `even`
/// says nothing of a distance and takes each, as ECO does.
class StreamSampling {
 public:
  StreamSampling(const SamplingOptions& sampling, double rate);
  bool takes(double time_s);  // of the next frame

 private:
  int64_t stride_, left_ = 0, tick_ = -1;  // thinned frames still to leave out; number of the last 1 / rate seconds
  double rate_;
};

/// Answers for the frames that count. A net that takes another number of frames than ECO's 16 gets as many of those, evenly
/// (the centres of equal parts, as SamplingOptions `even`). Cropped and scaled as in evaluation. One thread, one object per stream.
class StreamScorer {
 public:
  /// `net` is in evaluation mode and outlives this.
  StreamScorer(Net& net, const InputOptions& input);
  /// One more frame, uint8 [H, W, 3], its short side input.cached_short_side_px(); all of one size. Where it completes a slot:
  /// the smoothed logits, float32 [K].
  std::optional<torch::Tensor> add(const torch::Tensor& frame);
  int64_t kept() const { return std::ssize(frames_); }  // frames in memory, at most OnlineEco::kSlots * kSlotFrames

 private:
  torch::Tensor clip_of(const std::vector<int64_t>& positions) const;

  Net& net_;
  InputOptions input_;
  OnlineEco online_;
  std::deque<torch::Tensor> frames_;
  int64_t first_ = 0;  // position in the stream of frames_.front()
};

/// Reads a video from its first frame to its last and calls `answer` with the time of the newest frame, s, and the smoothed
/// logits. In memory are the frames a StreamScorer keeps and the index of the file (some tens of bytes a frame). How many frames counted:
/// fewer than 16 give no answer. Throws Error as Decoder does (input.deadline_s is for each frame), Interrupted.
int64_t score_stream(const VideoInfo& info, Net& net, const InputOptions& input, double rate,
                     const std::function<void(double time_s, const torch::Tensor& logits)>& answer);

}  // namespace distal
