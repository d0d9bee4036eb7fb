#pragma once
// Makes batches of clips for training and evaluation, with prefetch threads.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/data/clip_reader.h"
#include "distal/data/share.h"
#include "distal/lists/lists.h"
#include "distal/tasks/task.h"

namespace distal {

struct AugmentOptions;
class Random;

struct Batch {
  torch::Tensor clips;    // float32 [N, 3, T, H, W] in [-1, 1] (x / 127.5 - 1)
  torch::Tensor targets;  // float32 [N, K], label probabilities; NaN rows: unknown
  torch::Tensor rows;     // int64 [N], row of each clip in the list of samples or clips
  torch::Tensor weights;  // float32 [N], loss weight of each clip
  torch::Tensor teacher;  // float32 [N, K], probabilities of the teacher; NaN rows: no answer
  // float32 [N, 3, T, H, W], second view of the same clips; undefined unless `views` is 2
  torch::Tensor second;
  // int64 [N], transform of each clip; undefined unless augment.family has a prediction head
  torch::Tensor transform;
  /// The batch on the device. Tensors that are there already are not copied.
  Batch to(const torch::Device& device) const;
};

/// A training sample: a clip with its label, its weight and the teacher's probabilities.
struct Sample {
  Clip clip;
  std::vector<float> target;  // K probabilities; empty: unknown
  float weight = 1;
  std::vector<float> teacher;  // K probabilities; empty: not asked
  /// The target if it is known, or else the teacher's probabilities. May be empty.
  const std::vector<float>& known() const { return target.empty() ? teacher : target; }
  /// The class that known() predicts; -1 where it is empty.
  int64_t likely(const Task& task = default_task()) const;
};

/// Training batches of the steps first_step, first_step + 1, ... The order, the jitter and the
/// augmentation of step s depend only on (random, s). A resumed run therefore gets the same batches
/// bit for bit, with any number of threads, unless a video goes into quarantine meanwhile.
/// `threads` prefetch threads read ahead. With 0 threads, `next` reads. Only one thread may call
/// `next`.
///
/// Every epoch visits each sample once in a new order. A batch may continue into the next epoch.
/// With `class_balanced`, every K consecutive samples contain one of each of the K classes, and
/// each class visits its samples in turn. The class of a sample is Sample::likely. A clip of a
/// video in quarantine (ClipReader::quarantined) is replaced by the next sample of the same
/// permutation.
///
/// Call AugmentOptions::resolve on `augment` first. augment.family is applied to each batch, with
/// draws that depend on (random, s). It is not applied to batches of two views. With `views` 2, a
/// batch has a `second` view of each clip with its own jitter and augmentation. The first views and
/// the order are those of `views` 1.
///
/// `share` selects the rows of each batch that this rank reads. All ranks together read the clips
/// of a single rank, with the same jitter and augmentation. augment.family is the exception: it
/// mixes only the rows of its rank, with its own draws.
class TrainingBatches {
 public:
  TrainingBatches(ClipReader& reader, std::vector<Sample> samples, LabelSpace labels,
                  int64_t batch_size, AugmentOptions augment, bool class_balanced, Random random,
                  int64_t first_step, int64_t threads, int64_t views = 1, Share share = {});
  ~TrainingBatches();  // waits for the clips being read, not for their batches
  Batch next();        // throws Error when no clip is readable; CacheError
 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Evaluation batches: each clip once, in order, with centre frames and centre crop. A clip of a
/// video in quarantine has no row. The clips must outlive the batches. With `augment`, the centre
/// frames are cropped, flipped and coloured. The draw depends only on `random` and the row.
/// augment.family is ignored. `augment` must not contain flips that change labels.
class EvaluationBatches {
 public:
  EvaluationBatches(ClipReader& reader, std::span<const Clip> clips, LabelSpace labels,
                    int64_t batch_size, int64_t threads);
  EvaluationBatches(ClipReader& reader, std::span<const Clip> clips, LabelSpace labels,
                    int64_t batch_size, int64_t threads, std::optional<AugmentOptions> augment,
                    Random random);
  EvaluationBatches(ClipReader& reader, ClipRefs clips, LabelSpace labels, int64_t batch_size,
                    int64_t threads);
  EvaluationBatches(ClipReader& reader, ClipRefs clips, LabelSpace labels, int64_t batch_size,
                    int64_t threads, std::optional<AugmentOptions> augment, Random random);
  /// Takes ownership of the clips.
  EvaluationBatches(ClipReader& reader, std::vector<Clip>&& clips, LabelSpace labels,
                    int64_t batch_size, int64_t threads);
  EvaluationBatches(ClipReader& reader, std::vector<Clip>&& clips, LabelSpace labels,
                    int64_t batch_size, int64_t threads, std::optional<AugmentOptions> augment,
                    Random random);
  EvaluationBatches(ClipReader&, const std::vector<Clip>&&, LabelSpace, int64_t, int64_t) = delete;
  ~EvaluationBatches();
  std::optional<Batch> next();  // nothing at the end; throws CacheError
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
