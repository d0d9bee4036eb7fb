#pragma once
// Exact frames: `frames(times)` returns the frames shown at those times whatever seek path led
// there. Seeks go to the key frame that the index (VideoInfo) names; frames are matched by
// presentation time; only those asked for are converted to RGB and scaled, and frames that nothing
// needs are not decoded. Where a frame does not come from its key frame, earlier ones are tried,
// and at last the file's start. In a file with damage each frame is decoded from its own key frame
// with nothing left out, so that there too it is the same whatever else was asked. A file that is
// not seekable (VideoInfo) is decoded from its start and its frames are counted: the whole of it
// takes as long as once, a frame alone as long as all before it. Each frame is turned as it says
// itself, or as the first one. A file that cannot be read, or is no longer the one that was probed,
// is an error and never taken for a shorter one. One Decoder belongs to one thread at a time.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/video/probe.h"

namespace distal {

struct Frames {
  torch::Tensor frames;        // uint8 [T, H, W, 3], RGB, upright
  torch::Tensor time_s;        // float64 [T], start of each frame
  std::vector<int64_t> shown;  // [T] index of the frame whose pixels these are: not the one asked
                               // for where that is damaged
};

struct Resize {
  int64_t short_side_px = 0;  // scales so that the shorter side has this length (bilinear, area
                              // below half); 0: as stored
  /// Height and width a video of that size gets.
  std::pair<int64_t, int64_t> apply(int64_t height, int64_t width) const;
};

class Decoder {
 public:
  /// Opens the file. Throws Error: missing, changed since probed, longer than `deadline_s`.
  explicit Decoder(const VideoInfo& info, double deadline_s = 10);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  /// The frames shown at `times_s` (any order, repeats allowed), in that order. Frames that do not
  /// come, or that FFmpeg says it patched, are replaced by the nearest earlier sound one (else
  /// later). Throws Error: nothing readable, the disk failed, the file changed, or longer than
  /// `deadline_s` (wall time, less the time this thread waited for a processor).
  Frames at_times(std::span<const double> times_s, Resize resize, double deadline_s = 10);
  /// The same by frame index, 0 .. info.frames()-1.
  Frames at_frames(std::span<const int64_t> indices, Resize resize, double deadline_s = 10);

  /// What the last call did, for tests and benches.
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
