#pragma once
// The training loop. It minimises the named losses of an Objective. It does not depend on what the
// objective learns.

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/data/batches.h"
#include "distal/distill/loss_parts.h"
#include "distal/train/collective.h"

namespace distal {

class Net;
class OptionVisitor;
class Progress;
class Random;

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
  double ema = 0;  // decay of the moving average of the weights, which replaces them; 0: off
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
  /// A module that is trained and checkpointed with the network, such as projection heads, task
  /// heads or regressors. May be null. Parameters without a gradient and buffers (a momentum
  /// encoder, a queue) are checkpointed but not trained. The names in the module must not change
  /// during a fit.
  virtual torch::nn::Module* extra() { return nullptr; }
  /// Called before each optimiser step; step counts from 0.
  virtual void starting(int64_t step, int64_t steps) {}
  /// Called after each optimiser step, under no_grad; step counts from 1.
  virtual void stepped(Net& net, int64_t step, int64_t steps) {}
};

/// Training with labels only, by the loss of the task. train/taught.h has the objective with a
/// teacher.
class Supervised final : public Objective {
 public:
  explicit Supervised(double label_smoothing = 0, const Task& task = default_task())
      : label_smoothing_(label_smoothing), task_(task) {}
  Losses losses(Net& net, const Batch& batch) override;

 private:
  double label_smoothing_;
  const Task& task_;
};

/// The source of the batches of a fit. They are on the CPU. `open(s)` returns a function that gives
/// the micro-batches s, s + 1, ... There are steps x accumulate micro-batches. Each rank has a
/// stream of its Share.
struct BatchStream {
  std::function<std::function<Batch()>(int64_t first)> open;
  /// The videos of some rows, for messages.
  std::function<std::string(const torch::Tensor& rows)> describe;
};

/// The most records that a training gives to who watches it.
inline constexpr int64_t kMostStepRecords = 200;

/// What some consecutive steps of a training did.
struct StepRecord {
  int64_t from = 0;                                   // steps before the first of them
  int64_t step = 0;                                   // the last of them, counted from 1
  double loss = 0;                                    // mean over the steps and their micro-batches
  std::vector<std::pair<std::string, double>> parts;  // of the last micro-batch, by name
  double learning_rate = 0;                           // of the last step
  double samples_per_s = 0;                           // of this rank, batches waited for included
};
/// Is called in the thread of the training, between two steps. It must not throw.
using WatchSteps = std::function<void(const StepRecord& record)>;

/// The fewest steps whose losses show a trend.
inline constexpr int64_t kFewestStepsOfTrend = 20;

struct FitReport {
  int64_t steps = 0;
  int64_t resumed_from = 0;
  double seconds = 0;   // wall time
  double waited_s = 0;  // how much of it the loop waited for batches
  Losses last_losses;
  /// Mean loss of the third quarter of the steps minus that of the last, as a share of that of the
  /// first. NaN where the training was resumed, or has fewer than kFewestStepsOfTrend steps.
  double loss_fall = std::numeric_limits<double>::quiet_NaN();
  std::string precision;  // what ran, and which convolutions took the safe path
};

/// Trains `net` in place and leaves it in evaluation mode. The network and the module of the
/// objective are on the same device.
///
/// `checkpoint` is a path; empty: no checkpoints. Every checkpoint_every steps a checkpoint is
/// written there by atomic rename. If a valid checkpoint exists, training continues from it, on any
/// device (train/kept.h). The caller removes it when the result is stored.
///
/// Equal options, random and number of threads give equal weights, bit for bit, also across a kill.
/// The decay of the moving average is min(ema, (1 + step) / (10 + step)), where step counts from 1.
/// The average of a short training is therefore not dominated by the first weights.
///
/// All ranks of a `collective` call it with their share of the batches and the same checkpoint,
/// which rank 0 writes. Progress and report are those of the rank's own clips. An equal number of
/// ranks gives equal weights.
///
/// `watch` (may be empty) gets at most kMostStepRecords records, the last one of the last step. It
/// changes nothing that is computed.
///
/// Throws Error, with step and videos, at the first loss or gradient that is not finite. Throws
/// Interrupted after a checkpoint.
FitReport fit(Net& net, const TrainingOptions& options, Objective& objective,
              const BatchStream& stream, Random random, const std::string& checkpoint,
              Progress& progress, Collective& collective = single_rank(),
              const WatchSteps& watch = {});

/// The factor of the learning rate at a step. It rises linearly from 1 / warm-up steps, and then
/// falls to 0 along a cosine or stays constant.
double schedule(const TrainingOptions& options, int64_t step);

}  // namespace distal
