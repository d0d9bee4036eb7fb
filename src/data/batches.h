#pragma once
// From clips to batches: sampling of times, the frame cache, augmentation drawn once per clip, prefetch threads.

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "base/nouns.h"
#include "base/options.h"
#include "base/random.h"
#include "data/augment.h"
#include "data/frame_cache.h"
#include "data/lists.h"
#include "video/probe.h"

namespace distal {

/// Which frames of a clip a network sees.
struct SamplingOptions {
  std::string rule = "even";    // even (ECO/TSN: one frame of each of `frames` equal parts) or dense (every stride-th)
  int64_t frames = 8;
  int64_t stride = 2;           // dense: video frames from one clip frame to the next
  int64_t jitter_steps = 8;     // even, training: places in each part to draw from; bounds what the cache must hold
  void visit(OptionVisitor& v);
  /// Frame indices of `info` for a clip, ascending. With `random`: jittered (training); without: centres (evaluation).
  std::vector<int64_t> draw(const VideoInfo& info, const Clip& clip, Random* random) const;
  /// Every index that `draw` may return, ascending, distinct: what the cache decodes at the first touch of a clip.
  std::vector<int64_t> candidates(const VideoInfo& info, const Clip& clip, bool training) const;
};

struct InputOptions {
  SamplingOptions sampling;
  int64_t size_px = 96;         // the network's square input
  int64_t short_side_px = 0;    // of cached frames; 0: size_px * 8 / 7
  double deadline_s = 10;       // per clip; past it the video is quarantined
  void visit(OptionVisitor& v);
  int64_t cached_short_side_px() const;
};

struct Batch {
  torch::Tensor clips;    // float32 [N, 3, T, H, W] in [-1, 1] (x / 127.5 - 1)
  torch::Tensor targets;  // float32 [N, K] probabilities; NaN rows where unknown
  torch::Tensor rows;     // int64 [N], row of each clip in the list the batches were made from
  torch::Tensor weights;  // float32 [N], loss weight of each clip
};

/// One clip as it is trained on: which clip, its target, its weight.
struct Sample {
  Clip clip;
  std::vector<float> target;  // K probabilities; empty: unknown
  float weight = 1;
};

/// Probes of the videos in use, by path; filled by make_clips through `ClipReader::probe`.
class ClipReader {
 public:
  ClipReader(InputOptions options, CacheOptions cache);
  ~ClipReader();
  /// Probe through the reader's memory (and the cache's disk copy, valid while size and time of the file stand).
  VideoInfo probe(const std::string& path);
  /// uint8 [T, H, W, 3] at the cached size. `random`: training draw. Throws Error (then the caller quarantines).
  torch::Tensor read(const Clip& clip, Random* random, bool training);
  const InputOptions& options() const;
  struct Counts { int64_t hits = 0, misses = 0, decoded_frames = 0; double decode_s = 0; };
  Counts counts() const;
 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Training batches for steps first_step, first_step + 1, ...: the order, the jitter and the augmentation of step s
/// depend on (random, s) alone, so a resumed run sees the same batches bit for bit. Prefetch threads read ahead.
/// Every epoch visits each sample once in a fresh order, unless `class_balanced`: then classes are drawn evenly.
/// A clip that cannot be read is quarantined once (its reason kept) and replaced by the next of the same draw.
class TrainingBatches {
 public:
  TrainingBatches(ClipReader& reader, std::vector<Sample> samples, int64_t classes, int64_t batch_size, AugmentOptions augment,
                  bool class_balanced, Random random, int64_t first_step, int64_t threads);
  ~TrainingBatches();
  Batch next();  // throws Error when no clip is readable
  std::vector<Quarantined> quarantined() const;
 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Evaluation batches: each clip once, in order, centre frames and centre crop. A clip that cannot be read gives no row.
class EvaluationBatches {
 public:
  EvaluationBatches(ClipReader& reader, std::vector<Clip> clips, int64_t classes, int64_t batch_size, int64_t threads);
  ~EvaluationBatches();
  std::optional<Batch> next();
  std::vector<Quarantined> quarantined() const;
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
