#pragma once
// Transformations of a clip in time, as maps of its T frames: frame i of the result is frame map[i]
// of the clip. Nothing is interpolated and no other frame of the video is wanted: what would lie
// outside the clip is held, or played again. Pure functions, safe from any thread.

#include <string>
#include <vector>

#include "distal/data/augment_batch.h"

namespace distal {

class OptionVisitor;
class Random;

using FrameMap = std::vector<int64_t>;  // [T], of 0 .. T-1

/// The clip at `speed` times its pace about its middle, `shift` frames later; its first and last
/// frame are held where it ends: map[i] = clamp(round((T - 1) / 2 + shift + speed (i - (T - 1) /
/// 2)), 0, T - 1).
FrameMap paced(int64_t frames, double speed, double shift);
/// Frames are lost: each but the first is, with `probability`, what stands before it.
FrameMap dropped(int64_t frames, double probability, Random random);
FrameMap backwards(int64_t frames);
/// `chunks` runs of equal length (to a frame; at most T) in another order than theirs.
FrameMap shuffled(int64_t frames, int64_t chunks, Random random);
/// `speed` > 1 times as fast: frames start + floor(speed j) as long as there are any, then again
/// from `start`. Over and over rather than round: in a circle of four frames three times the speed
/// would look like playing backwards.
FrameMap fast(int64_t frames, double speed, int64_t start);

/// Writes the frames of `clip` that the map lists to `out`, float32 [3, T, H, W].
void pick_frames(const float* clip, const ClipSize& size, const FrameMap& map, float* out);

/// The transformations that may change what a clip shows: reverse, shuffle, speed.
struct TransformOptions {
  std::vector<std::string> of = {"reverse", "shuffle", "speed"};
  int64_t chunks = 4;
  std::vector<double> speeds = {2, 3};
  /// Throws UsageError: nothing in `of`, one of them twice, speeds without an entry.
  void visit(OptionVisitor& v) const;
  bool operator==(const TransformOptions&) const = default;

  int64_t count() const { return 1 + std::ssize(of); }  // as it is, and each of `of`
  /// The map of transformation `which`: 0 as it is, then those of `of` in their order.
  FrameMap draw(int64_t which, int64_t frames, Random random) const;
};

/// Every clip goes through one of options.count() transformations, drawn evenly; `transform` of the
/// result says which.
Batch transform_each(const Batch& batch, const TransformOptions& options, const Random& random);

}  // namespace distal
