#pragma once
// A network on a stream: frames come one after another, and answers as they come. Any network
// answers every 16 frames that count by ECO's online rule (models/online_eco.h), smoothed over the
// answers before; a uni-directional TSM (models/frame_net.h) answers every frame, by the mean of
// its last frames' features. The memory does not grow with the stream.

#include <deque>
#include <functional>
#include <optional>

#include "distal/data/clip_reader.h"
#include "distal/infer/engine.h"
#include "distal/models/frame_net.h"
#include "distal/models/online_eco.h"

namespace distal {

/// Which incoming frames count. `rate` > 0 first thins them: of each 1 / rate seconds the first
/// one, a millisecond of rounding forgiven. Of those left, `dense` takes every stride-th, so that
/// neighbours are as far apart as the network learned; `even` says nothing of a distance and takes
/// each, as ECO does.
class StreamSampling {
 public:
  StreamSampling(const SamplingOptions& sampling, double rate);
  bool takes(double time_s);  // of the next frame

 private:
  int64_t stride_;
  int64_t left_ = 0;   // thinned frames still to leave out
  int64_t tick_ = -1;  // number of the last 1 / rate seconds
  double rate_;
};

/// Answers for the frames that count, cropped and scaled as in evaluation. One thread, one object
/// per stream.
class StreamScorer {
 public:
  virtual ~StreamScorer() = default;
  /// One more frame, uint8 [H, W, 3], its short side input.cached_short_side_px(); all of one size.
  /// The logits, float32 [K], where it brings an answer.
  virtual std::optional<torch::Tensor> add(const torch::Tensor& frame) = 0;
};

/// ECO's rule for the clips of any engine. A network that takes another number of frames than ECO's
/// 16 gets as many of those, evenly (the centres of equal parts, as SamplingOptions `even`).
class EcoStream final : public StreamScorer {
 public:
  /// `engine` outlives this.
  EcoStream(Engine& engine, const InputOptions& input) : engine_(engine), input_(input) {}
  std::optional<torch::Tensor> add(const torch::Tensor& frame) override;
  int64_t kept() const {
    return std::ssize(frames_);
  }  // frames in memory, at most OnlineEco::kSlots * kSlotFrames

 private:
  torch::Tensor clip_of(const std::vector<int64_t>& positions) const;

  Engine& engine_;
  InputOptions input_;
  OnlineEco online_;
  std::deque<torch::Tensor> frames_;
  int64_t first_ = 0;  // position in the stream of frames_.front()
};

/// An online TSM: what a frame passes on stays in memory, so each frame is looked at once. The
/// answer is the mean over the last input.sampling.frames frames, over all of them before there are
/// so many; after exactly so many it is that of the clip they make.
class TsmStream final : public StreamScorer {
 public:
  /// `net` is in evaluation mode and outlives this. Throws std::logic_error: not net.online().
  TsmStream(FrameNet& net, const InputOptions& input) : net_(net), input_(input) {}
  std::optional<torch::Tensor> add(const torch::Tensor& frame) override;

 private:
  FrameNet& net_;
  InputOptions input_;
  std::vector<torch::Tensor> before_;
  std::deque<torch::Tensor> features_;  // [1, D] each
};

/// Reads a video from its first frame to its last and calls `answer` with the time of the newest
/// frame, s, and its answer. In memory are the frames a StreamScorer keeps and the index of the
/// file (some tens of bytes a frame). How many frames counted. Throws Error as Decoder does
/// (input.deadline_s is for each frame), Interrupted.
int64_t score_stream(const VideoInfo& info, StreamScorer& scorer, const InputOptions& input,
                     double rate,
                     const std::function<void(double time_s, const torch::Tensor& logits)>& answer);

}  // namespace distal
