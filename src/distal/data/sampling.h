#pragma once
// Sampling of the frames of a clip. All functions are pure.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/video/probe.h"

namespace distal {

class OptionVisitor;
class Random;

/// The rule `even` divides the n frames of the clip into `frames` equal parts and takes one frame
/// of each (Wang et al., TSN, ECCV 2016, arXiv 1608.00859; Zolfaghari et al., ECO, ECCV 2018, arXiv
/// 1804.09066, section 3). Evaluation takes the centre int(tick / 2 + tick * i) of part i, with
/// tick = n / frames. Training draws one of `jitter_steps` evenly spaced frames of each part.
/// Deviation: the parts of the original code are floor(n / frames) long and omit the last n %
/// frames frames. These parts cover the clip.
///
/// The rule `dense` takes frames with a distance of `stride`. Evaluation takes them from the middle
/// of the clip. Training draws one of `jitter_steps` evenly spaced starts.
///
/// If a clip is too short, `even` repeats frames of parts that share a frame, and `dense` repeats
/// the last frame.
struct SamplingOptions {
  std::string rule = "even";  // even or dense
  int64_t frames = 8;
  int64_t stride = 2;  // dense: video frames from one clip frame to the next
  // training: number of positions to draw from, which limits the frames in the cache; 0: any frame
  int64_t jitter_steps = 8;
  void visit(OptionVisitor& v) const;
  bool operator==(const SamplingOptions&) const = default;

  /// The indices of the sampled frames of a clip in `info`, ascending. With `random`, they are
  /// jittered for training. With null, they are the centres for evaluation.
  std::vector<int64_t> draw(const VideoInfo& info, const Clip& clip, Random* random) const;
  /// All indices that `draw` may return, ascending and distinct. The cache decodes them at the
  /// first read of a clip.
  std::vector<int64_t> candidates(const VideoInfo& info, const Clip& clip, bool training) const;
};

/// The frames of a clip: the index of the first frame and the index after the last. They are the
/// frames that start within [start_s, end_s), with a tolerance of half a millisecond, and at least
/// the frame shown at start_s.
std::pair<int64_t, int64_t> frames_of(const VideoInfo& info, const Clip& clip);

}  // namespace distal
