#pragma once
// Exact decoding of frames. The frame for a time does not depend on the other requested times.
//
// A seek goes to the key frame that the index (VideoInfo) gives. Frames are matched by presentation
// time. Frames that no requested frame references are not decoded. Only requested frames are
// converted to RGB and scaled. If a frame does not come from its key frame, earlier key frames are
// tried, and finally the start of the file. In a damaged file, each frame is decoded from its own
// key frame without skipping, so it does not depend on the other requested frames.
//
// A file that is not seekable is decoded from its start, and its frames are counted. All frames
// take one decode of the file. A single frame takes a decode of all frames before it.
//
// Each frame is rotated by its own orientation, or else by that of the first frame. A read error or
// a changed file throws, and is never treated as the end of the video. One thread at a time may use
// a Decoder.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/video/probe.h"

namespace distal {

struct Frames {
  torch::Tensor frames;  // uint8 [T, H, W, 3], RGB, upright
  torch::Tensor time_s;  // float64 [T], start of each frame
  // [T] index of the frame that the pixels belong to; differs from the requested index if that
  // frame is damaged
  std::vector<int64_t> shown;
};

struct Resize {
  // length of the shorter side after scaling (bilinear, area below half the size); 0: no scaling
  int64_t short_side_px = 0;
  /// Height and width after scaling.
  std::pair<int64_t, int64_t> apply(int64_t height, int64_t width) const;
};

class Decoder {
 public:
  /// Opens the file. Throws Error: the file is missing or changed since the probe, or opening takes
  /// longer than `deadline_s`.
  explicit Decoder(const VideoInfo& info, double deadline_s = 10);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  /// The frames shown at `times_s`, in the order of `times_s`. Any order and repeats are allowed. A
  /// frame that is missing, or that FFmpeg marks as corrupt, is replaced by the nearest earlier
  /// intact frame, or else by the nearest later one. Throws Error: no readable frame, a read error,
  /// a changed file, or more than `deadline_s` of wall time without the time that the thread waited
  /// for a processor.
  Frames at_times(std::span<const double> times_s, Resize resize, double deadline_s = 10);
  /// The same by frame index, 0 .. info.frames()-1.
  Frames at_frames(std::span<const int64_t> indices, Resize resize, double deadline_s = 10);

  /// Counts of the last call, for tests and benchmarks.
  struct Work {
    int64_t seeks = 0;
    int64_t decoded = 0;
    int64_t converted = 0;
  };
  Work work() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
