#pragma once
// The one training loop. What is learned is an Objective that returns named losses; the loop knows
// nothing of it.

#include <functional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/data/batches.h"
#include "distal/distill/loss.h"
#include "distal/models/model.h"
#include "distal/train/collective.h"

namespace distal {

struct TrainingOptions {
  int64_t steps = 240;
  double epochs = 0;  // passes over the samples instead of steps; 0: steps
  int64_t batch_size = 16;
  std::string optimizer = "sgd";  // sgd (Nesterov) or adamw
  double learning_rate = 0.01;
  double momentum = 0.9;
  double weight_decay = 5e-4;       // not on norms and biases
  double warmup = 0.1;              // share of the steps with a rising learning rate
  std::string schedule = "cosine";  // cosine or constant, after the warm-up
  double label_smoothing = 0;
  double max_gradient_norm = 0;  // clip by global norm; 0: off
  double ema = 0;  // decay of the weights' moving average, which is then what is kept; 0: off
  int64_t accumulate = 1;          // micro-batches per step
  std::string precision = "auto";  // auto (bf16 where the device computes in it), f32, bf16
  std::string device = "auto";     // where it is trained: device_for (models/device.h)
  bool class_balanced = false;     // weighted sampling: every class equally often
  bool class_weights = false;      // loss weights inverse to the class's count
  int64_t checkpoint_every = 200;  // steps
  int64_t threads = 1;             // prefetch threads
  int64_t steps_for(int64_t samples) const;
  void visit(OptionVisitor& v) const;
  bool operator==(const TrainingOptions&) const = default;
};

class Objective {
 public:
  virtual ~Objective() = default;
  virtual Losses losses(Net& net, const Batch& batch) = 0;
  /// What is trained and checkpointed beside the net: projection and task heads, regressors; null:
  /// nothing. Parameters without a gradient and buffers (a momentum encoder, a queue) are
  /// checkpointed alone. Its names never change during a fit.
  virtual torch::nn::Module* extra() { return nullptr; }
  /// Called before each optimiser step; step counts from 0.
  virtual void starting(int64_t step, int64_t steps) {}
  /// Called after each optimiser step, under no_grad; step counts from 1.
  virtual void stepped(Net& net, int64_t step, int64_t steps) {}
};

/// Learning from labels alone: cross entropy with the truth. With a teacher: train/taught.h.
class Supervised final : public Objective {
 public:
  explicit Supervised(double label_smoothing = 0) : label_smoothing_(label_smoothing) {}
  Losses losses(Net& net, const Batch& batch) override;
 private:
  double label_smoothing_;
};

/// Where the batches of a fit come from, on the CPU. `open(s)` gives the source of micro-batches s,
/// s + 1, ... (steps x accumulate). Among several ranks each has a stream of its Share.
struct BatchStream {
  std::function<std::function<Batch()>(int64_t first)> open;
  std::function<std::string(const torch::Tensor& rows)>
      describe;  // the videos of some rows, for messages
};

struct FitReport {
  int64_t steps = 0;
  int64_t resumed_from = 0;
  double seconds = 0;   // wall time
  double waited_s = 0;  // how much of it the loop waited for batches
  Losses last_losses;
  std::string precision;  // what ran, and which convolutions took the safe path
};

/// Trains in place, on the device where the net lies with the objective's extra, and leaves the net
/// in evaluation mode. With `checkpoint` (a path) it saves there every checkpoint_every steps by
/// atomic rename and continues from it if it exists and is sound (train/kept.h); the caller removes
/// it once the result is safe. Same options, random and threads: the same weights, bit for bit,
/// also across a kill. Throws Error at the first loss or gradient that is not finite, with step and
/// videos; Interrupted after a checkpoint. The moving average's decay is min(ema, (1 + step) / (10
/// + step)): a short run is not left with its first weights (step counts from 1). A checkpoint
/// continues on any device. Ranks of a `collective` call it alike, each with its share of the
/// batches and the same checkpoint, which rank 0 writes; what is shown and reported is of the
/// rank's own clips. Then the same number of ranks gives the same weights.
FitReport fit(Net& net, const TrainingOptions& options, Objective& objective,
              const BatchStream& stream, Random random, const std::string& checkpoint,
              Progress& progress, Collective& collective = single_rank());

/// The factor on the learning rate at a step: linear warm-up from 1 / warm-up steps, then cosine to
/// 0, or constant.
double schedule(const TrainingOptions& options, int64_t step);

}  // namespace distal
