#pragma once
// Which frames of a clip a network sees. Pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/video/probe.h"

namespace distal {

/// even: the clip's n frames in `frames` equal parts, one frame of each (Wang et al., TSN, ECCV
/// 2016, arXiv 1608.00859; Zolfaghari et al., ECO, ECCV 2018, arXiv 1804.09066, section 3).
/// Evaluation takes the centres int(tick / 2 + tick * i), tick = n / frames. Training draws one of
/// `jitter_steps` evenly spaced frames of each part. Deviation from the original code: its parts
/// are floor(n / frames) long and leave the last n % frames frames out; ours cover the clip. dense:
/// frames `stride` apart; evaluation in the middle of the clip, training from one of `jitter_steps`
/// evenly spaced starts. A clip that is too short repeats frames: even where the parts fall on the
/// same frame, dense its last one.
struct SamplingOptions {
  std::string rule = "even";  // even or dense
  int64_t frames = 8;
  int64_t stride = 2;  // dense: video frames from one clip frame to the next
  int64_t jitter_steps =
      8;  // training: places to draw from; bounds what the cache must hold; 0: any frame
  void visit(OptionVisitor& v) const;
  bool operator==(const SamplingOptions&) const = default;

  /// `frames` indices of `info` for a clip, ascending. With `random`: jittered (training); without:
  /// centres (evaluation).
  std::vector<int64_t> draw(const VideoInfo& info, const Clip& clip, Random* random) const;
  /// Every index that `draw` may return, ascending, distinct: what the cache decodes at the first
  /// touch of a clip.
  std::vector<int64_t> candidates(const VideoInfo& info, const Clip& clip, bool training) const;
};

/// The frames of a clip, first and one past the last: those that start within [start_s, end_s),
/// half a millisecond of rounding forgiven; at least the one shown at start_s.
std::pair<int64_t, int64_t> frames_of(const VideoInfo& info, const Clip& clip);

}  // namespace distal
