#pragma once
// What is learned about a clip, a family: one file each in kinds/. A task says how labels become
// targets, how many outputs a head has, how logits become probabilities, what is minimised, which
// answers are valid, what is predicted, how sure that is, and which metrics are measured.
// `single_label` is its only member, and the default. A task has no state. Any thread.
//
// Letters: N clips, K classes, O outputs of the head. Rows are clips. Tensors keep their dtype and
// device unless a comment says otherwise.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/catalogue.h"

namespace distal {

class Task {
 public:
  virtual ~Task() = default;

  /// O for K classes: logits of a clip, numbers of its target and of an answer about it.
  virtual int64_t outputs(int64_t classes) const = 0;

  /// Whether a label (Clip::label) names a class; -1, which is unknown, does not.
  virtual bool knows(int64_t label, int64_t classes) const = 0;
  /// What is learned of a label: O probabilities. A broken promise: a label that is not known.
  virtual std::vector<float> target(int64_t label, int64_t classes) const = 0;
  /// Targets [N, O] of labels that are wrong with some probability, `smoothing` in [0, 1]. Rows of
  /// NaN stay NaN; 0 changes nothing.
  virtual torch::Tensor smoothed(const torch::Tensor& targets, double smoothing) const = 0;

  /// Probabilities from logits, of one shape [..., O].
  virtual torch::Tensor probabilities(const torch::Tensor& logits) const = 0;
  /// Logits whose probabilities are `probabilities` [..., O]. Those below `least` count as `least`.
  virtual torch::Tensor logits_of(const torch::Tensor& probabilities, double least) const = 0;

  /// What is minimised, [N], from logits [N, O] in float32 or float64 and targets [N, O], hard or
  /// soft; 0 for rows of NaN in `targets`. No gradient into the targets.
  virtual torch::Tensor loss(const torch::Tensor& logits, const torch::Tensor& targets) const = 0;

  /// The predicted class, int64 [...], from logits or probabilities [..., O], the first of equal
  /// ones.
  virtual torch::Tensor predicted(const torch::Tensor& scores) const = 0;
  /// The same of one row of O numbers.
  int64_t predicted(std::span<const float> row) const;

  /// How sure probabilities [N, O] are, [N]: the probability of what is predicted, ...
  virtual torch::Tensor confidence(const torch::Tensor& probabilities) const = 0;
  /// ... by how much it leads the next, at least 0, ...
  virtual torch::Tensor margin(const torch::Tensor& probabilities) const = 0;
  /// ... and the entropy in nats, which is larger the less sure they are; 0 log 0 = 0.
  virtual torch::Tensor entropy(const torch::Tensor& probabilities) const = 0;

  struct Invalid {
    int64_t row;
    std::string reason;  // "probabilities do not sum to 1 but to 1.25"
  };
  /// The first finite row of answers, float64 [N, O], that holds no probabilities (within 1e-3).
  /// Rows that are not finite are passed over.
  virtual std::optional<Invalid> invalid(const torch::Tensor& answers) const = 0;
  /// Valid answers without their rounding: probabilities to the last bits.
  virtual torch::Tensor normalised(const torch::Tensor& answers) const = 0;

  /// The metrics of a test set, by their names in evaluation/round_result.h.
  virtual std::vector<std::string> metrics() const = 0;
};

/// `single_label`: one label a clip.
const Task& default_task();

/// A task and how many classes it has. A number alone means the default task.
struct LabelSpace {
  LabelSpace(int64_t classes, const Task& task = default_task()) : classes(classes), task(&task) {}
  int64_t outputs() const { return task->outputs(classes); }
  std::vector<float> target(int64_t label) const { return task->target(label, classes); }

  int64_t classes;
  const Task* task;
};

/// Rows of [N, O] without NaN, bool [N]: those that are known.
torch::Tensor known_rows(const torch::Tensor& rows);

/// Probabilities [N, O] at the temperature tau: those of logits / tau. Below 1e-8 they count as
/// 1e-8.
torch::Tensor softened(const Task& task, const torch::Tensor& probabilities, double tau);

/// KL(p || the probabilities of the logits), [N], under the terms of Task::loss. No gradient into
/// `probabilities`.
torch::Tensor divergence(const Task& task, const torch::Tensor& logits,
                         const torch::Tensor& probabilities);

}  // namespace distal
