#pragma once
// What trains networks and predicts with them. NetworkTrainer does it; a plan's simulated trainer
// says how long it would take.

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "distal/base/choice.h"
#include "distal/data/clip_reader.h"
#include "distal/learn/learner.h"
#include "distal/models/model_fwd.h"

namespace distal {

class DistillLoss;
class Random;
struct EmbeddingOptions;

/// On the CPU, wherever the network lies.
struct Predictions {
  torch::Tensor logits;      // float32 [M, K]
  torch::Tensor embeddings;  // float32 [M, D]
  torch::Tensor rows;        // int64 [M], rows of the clips that could be read
};

/// Clips as a network sees them before they are scaled.
struct Pixels {
  std::vector<Clip> clips;  // that could be read
  torch::Tensor values;     // uint8 [M, 3, T, H, W], the network's input times 127.5 plus 127.5
};

ClipRefs refs_of(const std::vector<Sample>& samples);
std::vector<Clip> copies_of(const ClipRefs& refs);

class Trainer {
 public:
  virtual ~Trainer() = default;

  /// A fresh network, trained, on the device of learner.training, where it stays. `what` names it
  /// in progress and messages. `loss` (may be empty where nobody has a teacher's word) is used
  /// where a sample has one, or where it is teacher-free. `teacher`: the network that answered,
  /// where it shall look at the same view in every step (train/taught.h); not with a frozen
  /// backbone.
  virtual Model train(const Learner& learner, const Choice<DistillLoss>& loss,
                      const std::vector<Sample>& samples, Random random, const std::string& what,
                      const Model& teacher = nullptr) = 0;
  /// The network that train() would begin with: with its initial weights, pre-trained where the
  /// learner says so.
  virtual Model untrained(const Learner& learner, Random random) = 0;
  /// As accuracy is measured: in float32.
  virtual Predictions predict(Net& net, const Learner& learner, const std::vector<Clip>& clips) = 0;
  /// As a strategy sees it: where the learner trains in bf16, large sets are scored in bf16 too.
  /// `other_clips`: clips scored by the same network in the same round; the larger count selects
  /// the engine, so that both sets have the same precision.
  virtual Predictions score(Net& net, const Learner& learner, const ClipRefs& clips,
                            int64_t other_clips = 0) = 0;
  /// One pass over the clips under learner.augment, label-safe; `random` draws it. No embeddings.
  virtual Predictions score_augmented(Net& net, const Learner& learner, const ClipRefs& clips,
                                      Random random) = 0;

  /// Embeddings that come from elsewhere, of the clips that have some; no logits.
  virtual Predictions embeddings(const EmbeddingOptions& options, const ClipRefs& clips) = 0;

  /// Throws Error: no clip can be read.
  virtual Pixels pixels(const std::vector<Clip>& clips) = 0;
  /// float32 [M, K], on the CPU. `values` float32 or uint8, as Pixels has them.
  virtual torch::Tensor probabilities(Net& net, const torch::Tensor& values) = 0;

  /// FitReport::loss_fall of the last train(); NaN where that took a network that was kept.
  virtual double loss_fall() const { return std::numeric_limits<double>::quiet_NaN(); }

  /// What the reader of a report must know of what happened since the last call: what init files
  /// matched, in which precision was trained.
  virtual std::set<std::string> take_notes() = 0;
};

}  // namespace distal
