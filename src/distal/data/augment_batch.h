#pragma once
// What augmentation families are made of: a batch clip by clip, and clips mixed in pairs. Plain
// loops instead of tensor operations, which would start threads of their own in every prefetch
// thread. Thread-safe.

#include <functional>
#include <vector>

#include "distal/data/batches.h"

namespace distal {

class Random;

/// A clip float32 [3, T, H, W] in memory.
struct ClipSize {
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t frame() const { return height * width; }    // pixels of a frame
  int64_t plane() const { return frames * frame(); }  // of a channel
  int64_t numbers() const { return 3 * plane(); }
};
ClipSize clip_size(const Batch& batch);

/// The batch with clips that `change` writes to `out` from `clip`, each with a Random of its own
/// that depends on (random, row).
using ClipChange = std::function<void(const float* clip, float* out, int64_t row, Random random)>;
Batch change_each(const Batch& batch, const Random& random, const ClipChange& change);

/// Whom each clip is mixed with, [N]: clips take turns in a random circle, so each is the first of
/// one mix and the second of another. A circle holds clips that are known in the same way (by
/// truth, by a teacher, by both, by neither), so that every mix is known as its clips are; one that
/// is alone in its circle is its own partner.
std::vector<int64_t> partners(const Batch& batch, Random random);

/// Each clip with its partner, or as it is with probability 1 - `probability`. `blend` writes the
/// mix to `out` and returns the share of `clip` in it, s in [0, 1]: targets and teacher become s of
/// the clip's row and 1 - s of the partner's.
using ClipBlend =
    std::function<double(const float* clip, const float* partner, float* out, Random random)>;
Batch mix_each(const Batch& batch, double probability, const Random& random,
               const ClipBlend& blend);

}  // namespace distal
