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
#include "distal/video/decoder.h"
#include "distal/video/live.h"

namespace distal {

/// Which incoming frames count. `rate` > 0 first thins them: of each 1 / rate seconds the first
/// one, a millisecond of rounding forgiven. Of those left, `dense` takes every stride-th, so that
/// neighbours are as far apart as the network learned; `even` says nothing of a distance and takes
/// each, as ECO does.
class StreamSampling {
 public:
  StreamSampling(const SamplingOptions& sampling, double rate);
  bool takes(double time_s);  // of the next frame
  /// How many frames of a source of `source_rate` count, per second; 0 where nobody knows.
  double counted(double source_rate) const;

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
  /// What comes next does not join on to what came: the answers to come hold nothing of it.
  virtual void restart() = 0;
  virtual int64_t frames_per_answer() const = 0;
  /// How many frames an answer looks back upon. EcoStream averages answers too: of what it saw
  /// before these frames 1/32 is left.
  virtual int64_t looks_back() const = 0;
};

/// ECO's rule for the clips of any engine. A network that takes another number of frames than ECO's
/// 16 gets as many of those, evenly (the centres of equal parts, as SamplingOptions `even`).
class EcoStream final : public StreamScorer {
 public:
  /// `engine` outlives this.
  EcoStream(Engine& engine, const InputOptions& input) : engine_(engine), input_(input) {}
  std::optional<torch::Tensor> add(const torch::Tensor& frame) override;
  void restart() override;
  int64_t frames_per_answer() const override { return OnlineEco::kSlotFrames; }
  int64_t looks_back() const override { return OnlineEco::kSlots * OnlineEco::kSlotFrames; }
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
  void restart() override;
  int64_t frames_per_answer() const override { return 1; }
  int64_t looks_back() const override { return input_.sampling.frames; }

 private:
  FrameNet& net_;
  InputOptions input_;
  std::vector<torch::Tensor> before_;
  std::deque<torch::Tensor> features_;  // [1, D] each
};

/// The frames of a stream that count (StreamSampling), at the size that a StreamScorer takes, one
/// after another. One thread.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// Nothing: the end. Throws Error, Interrupted.
  virtual std::optional<StreamItem> next() = 0;
};

/// Of a file, from its first frame to its last. In memory is the index of the file, some tens of
/// bytes a frame.
class FileFrames final : public FrameSource {
 public:
  /// Throws Error as Decoder does; input.deadline_s is for each frame.
  FileFrames(VideoInfo info, const InputOptions& input, double rate);
  std::optional<StreamItem> next() override;

 private:
  VideoInfo info_;
  InputOptions input_;
  StreamSampling sampling_;
  Decoder decoder_;
  int64_t index_ = 0;  // of the next frame
};

/// Of a pipe, a server or a camera.
class LiveFrames final : public FrameSource {
 public:
  /// `options.short_side_px` is replaced. Throws Error as LiveReader does.
  LiveFrames(const LiveSource& source, LiveOptions options, const InputOptions& input, double rate);
  std::optional<StreamItem> next() override { return reader_.next(); }
  const LiveReader& reader() const { return reader_; }

 private:
  std::shared_ptr<StreamSampling> sampling_;  // of the reader's thread
  LiveReader reader_;
};

/// What a stream brings.
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  /// The first frame, and the first frame after a loss.
  virtual void begins(double /*time_s*/) {}
  /// An answer with the newest frame's time: logits, float32 [K].
  virtual void answer(double time_s, const torch::Tensor& logits) = 0;
  /// What comes next does not join on to what came. `time_s`: the last frame that came.
  virtual void lost(double /*time_s*/, const std::string& /*why*/) {}
};

/// Gives each frame to `scorer`, and what it says to `listener`. How many frames came. In memory
/// are the frames that a StreamScorer and a FrameSource keep. Throws as FrameSource::next does.
int64_t score_stream(FrameSource& frames, StreamScorer& scorer, StreamListener& listener);

/// The same of a file, for answers alone.
int64_t score_stream(const VideoInfo& info, StreamScorer& scorer, const InputOptions& input,
                     double rate,
                     const std::function<void(double time_s, const torch::Tensor& logits)>& answer);

}  // namespace distal
