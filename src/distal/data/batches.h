#pragma once
// From clips to batches: the order of an epoch, augmentation drawn once per clip, prefetch threads.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/base/random.h"
#include "distal/data/augment.h"
#include "distal/data/clip_reader.h"
#include "distal/data/order.h"
#include "distal/lists/lists.h"

namespace distal {

struct Batch {
  torch::Tensor clips;  // float32 [N, 3, T, H, W] in [-1, 1] (x / 127.5 - 1)
  torch::Tensor
      targets;  // float32 [N, K] the truth, or soft labels of that rank; NaN rows where unknown
  torch::Tensor rows;     // int64 [N], row of each clip in the list the batches were made from
  torch::Tensor weights;  // float32 [N], loss weight of each clip
  torch::Tensor teacher;  // float32 [N, K] probabilities a teacher gave; NaN rows where it did not
  torch::Tensor second;   // float32 [N, 3, T, H, W] another view of the same clips; undefined where
                          // none was asked for
  torch::Tensor transform;  // int64 [N], which transformation each clip went through; undefined
                            // where no family of augment tells
  /// With every tensor on the device; those that lie there already are no copies.
  Batch to(const torch::Device& device) const;
};

/// One clip as it is trained on: which clip, its truth, its weight, a teacher's word.
struct Sample {
  Clip clip;
  std::vector<float> target;  // K probabilities; empty: unknown
  float weight = 1;
  std::vector<float> teacher;  // K probabilities; empty: not asked
  /// The truth where known, else the teacher's word; perhaps empty.
  const std::vector<float>& known() const { return target.empty() ? teacher : target; }
  int64_t likely() const;  // the class of the largest entry of known(); -1 where it is empty
};

/// Training batches for steps first_step, first_step + 1, ...: the order, the jitter and the
/// augmentation of step s depend on (random, s) alone, so a resumed run sees the same batches bit
/// for bit, with any number of threads (as long as no video goes into quarantine half-way).
/// Prefetch threads read ahead (0: `next` reads itself). One thread calls `next`. Every epoch
/// visits each sample once in a fresh order and batches run across the border of epochs, unless
/// `class_balanced`: then every run of as many samples as there are classes has one of each class
/// (by the target's largest entry, else the teacher's), and each class visits its own samples in
/// turn. A clip of a video in quarantine (ClipReader::quarantined) is replaced by the next of the
/// same draw. augment.flip_labels must have been resolved (AugmentOptions::resolve). augment.family
/// works on each whole batch; its draws depend on (random, step) too. Batches of two views take
/// none. `share`: the rows of each batch that this rank of several reads. The clips, jitter and
/// augmentation of all ranks together are those of one that reads it all; only augment.family sees,
/// and mixes, the rows of its rank alone, by draws of its own. With `views` 2 a batch has a
/// `second` view of each clip too, with jitter and augmentation of its own; the first views and the
/// order are those of `views` 1.
class TrainingBatches {
 public:
  TrainingBatches(ClipReader& reader, std::vector<Sample> samples, int64_t classes,
                  int64_t batch_size, AugmentOptions augment, bool class_balanced, Random random,
                  int64_t first_step, int64_t threads, int64_t views = 1, Share share = {});
  ~TrainingBatches();  // waits for the clips being read, not for their batches
  Batch next();        // throws Error when no clip is readable; CacheError
 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Evaluation batches: each clip once, in order, centre frames and centre crop. A clip of a video
/// in quarantine gives no row. The clips must outlive the batches. With `augment` the centre frames
/// are cropped, flipped and coloured by a draw that depends on the random and the row alone
/// (augment.family is left out); flips that change labels are not for evaluation.
class EvaluationBatches {
 public:
  EvaluationBatches(ClipReader& reader, std::span<const Clip> clips, int64_t classes,
                    int64_t batch_size, int64_t threads,
                    std::optional<AugmentOptions> augment = std::nullopt,
                    Random random = Random(0));
  EvaluationBatches(ClipReader& reader, ClipRefs clips, int64_t classes, int64_t batch_size,
                    int64_t threads, std::optional<AugmentOptions> augment = std::nullopt,
                    Random random = Random(0));
  /// Of clips that nobody else keeps.
  EvaluationBatches(ClipReader& reader, std::vector<Clip>&& clips, int64_t classes,
                    int64_t batch_size, int64_t threads,
                    std::optional<AugmentOptions> augment = std::nullopt,
                    Random random = Random(0));
  EvaluationBatches(ClipReader&, const std::vector<Clip>&&, int64_t, int64_t, int64_t) = delete;
  ~EvaluationBatches();
  std::optional<Batch> next();  // nothing at the end; throws CacheError
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
