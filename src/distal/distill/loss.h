#pragma once
// Distillation losses, a family with one file each in losses/. The input of a loss is a Lesson: the
// outputs of the student, the labels and the answers of the teacher for a batch. A remote teacher
// gives only probabilities. They determine the probabilities at any temperature: softmax(z / tau) =
// normalise(softmax(z)^(1 / tau)). With `matching`, the teacher's network runs on the same view and
// also gives features. A loss has no state. Modules that it trains or keeps belong to the training
// loop. Thread-safe. Letters: N clips, C channels, T frames, H W pixels, K classes, D features.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/distill/loss_parts.h"
#include "distal/models/output.h"
#include "distal/tasks/task.h"

namespace distal {

class Random;

/// Feature maps by their published names (Taps, models/layers.h): [N, C, T, H, W], or [N * T, C, H,
/// W] for networks of single frames.
using Maps = std::map<std::string, torch::Tensor>;

struct Lesson {
  Output student;         // logits float32 [N, K], embedding float32 [N, D]
  torch::Tensor teacher;  // float32 [N, K] probabilities; NaN rows: no answer
  torch::Tensor truth;    // float32 [N, K] one-hot or soft labels; NaN rows: unknown
  torch::Tensor weights;  // float32 [N]
  // int64 [N], sample of each clip; undefined if no memory bank needs it
  torch::Tensor rows;
  double progress = 0;  // finished share of the training, in [0, 1)
  // float32 [N, D'] of the same view; undefined without the teacher's network
  torch::Tensor teacher_embedding;
  Maps student_maps, teacher_maps;     // empty unless the loss needs them
  torch::nn::Module* parts = nullptr;  // the module of DistillLoss::parts
  const Task* task = &default_task();  // what targets, answers and logits are
};

class DistillLoss {
 public:
  virtual ~DistillLoss() = default;
  /// The parts of the loss. Each part is a scalar: the weighted mean over the clips that it applies
  /// to, or 0 without such clips. The part `truth` is the loss of the labels. All other parts are
  /// losses of the teacher. A clip with a NaN row in `teacher` contributes only to `truth`. A clip
  /// with neither contributes nothing. There is no gradient into the teacher. float64 stays
  /// float64. Half precision is computed in float32. Throws Error: the network does not give a
  /// required map.
  virtual Losses losses(const Lesson& lesson) const = 0;

  /// False if the loss also works with labels alone.
  virtual bool needs_teacher() const { return true; }
  /// Whether the loss needs teacher_embedding, and whether it needs the maps of both networks.
  virtual bool needs_teacher_network() const { return false; }
  virtual bool needs_maps() const { return false; }
  /// Whether the loss trains the classifier. A loss that only compares features does not. Training
  /// then adds `answer_losses`.
  virtual bool teaches_classes() const { return !needs_teacher_network(); }

  /// The module of the loss, or null. It holds regressors and projections as parameters, and memory
  /// banks as buffers. They are float32, and are trained and checkpointed with the network. The
  /// module is made on the CPU. The caller moves it to the device of the networks. `example` is a
  /// lesson of one clip with the right sizes. `samples` is the number of training samples.
  virtual std::shared_ptr<torch::nn::Module> parts(const Lesson& example, int64_t samples,
                                                   Random random) const;
  /// Stores the batch in a memory bank. Training calls it after `losses`, under no_grad.
  virtual void remember(const Lesson& lesson) const {}
};

/// The loss of the teacher's answers as part `teacher`: tau^2 times the task's loss of the student
/// at the temperature tau, with the teacher's answer at tau as target. For clips without an answer,
/// the task's loss with the label as part `truth`.
Losses answer_losses(const Lesson& lesson, double tau = 1);

/// The task's loss, as weighted mean over the rows without NaN of `targets` [N, K], hard or soft,
/// smoothed by `smoothing` (Task::smoothed). 0 without such rows.
torch::Tensor mean_loss(const Task& task, const torch::Tensor& logits, const torch::Tensor& targets,
                        const torch::Tensor& weights, double smoothing = 0);

/// The sum of weight * value over the rows with `applies`, divided by the sum of weights over the
/// rows with `counted`. 0, with a gradient of 0, if no row is counted. `values` and `weights` are
/// [N], the masks are bool [N]. All parts of a loss count the same rows, so every row has the same
/// weight in their sum.
torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& weights,
                            const torch::Tensor& applies, const torch::Tensor& counted);

/// The class of each row, int64 [N]: the largest entry of `truth` if it is known, or else of
/// `teacher`. 0 if neither is known.
torch::Tensor likely_classes(const Lesson& lesson);

/// Converts half precision to float32. Other dtypes stay.
torch::Tensor at_least_float32(const torch::Tensor& logits);

}  // namespace distal
