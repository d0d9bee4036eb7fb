#include "distal/train/fit.h"

#include <array>
#include <numbers>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"
#include "distal/models/device.h"
#include "distal/models/model.h"
#include "distal/models/weights.h"
#include "distal/train/kept.h"
#include "distal/train/optimizer.h"
#include "distal/train/precision.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What a step changes beside the optimiser's moments, on the device of the net.
struct Trained {
  Tensors weights, extra,
      average;  // of the net, of Objective::extra; the moving average, perhaps none

  std::vector<torch::Tensor> tensors() const {
    std::vector<torch::Tensor> all;
    for (const auto* part : {&weights, &extra, &average}) {
      for (const auto& [name, tensor] : *part) all.push_back(tensor);
    }
    return all;
  }
};

// Everything a killed run needs: weights, moments, moving average, step.
void save_checkpoint(const std::string& path, const Trained& trained, const Optimizer& optimizer,
                     int64_t step) {
  Tensors tensors = optimizer.state();
  for (const auto& [name, tensor] : trained.weights) tensors.emplace_back("net." + name, tensor);
  for (const auto& [name, tensor] : trained.extra) tensors.emplace_back("extra." + name, tensor);
  for (const auto& [name, tensor] : trained.average)
    tensors.emplace_back("average." + name, tensor);
  tensors.emplace_back("step", torch::tensor({step}, torch::kInt64));
  save_checked(path, tensors);
}

void copy_into(const Tensors& targets, const Tensors& sources, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  const std::map<std::string, torch::Tensor> by_name(sources.begin(), sources.end());
  for (const auto& [name, tensor] : targets) tensor.copy_(by_name.at(prefix + name));
}

// The step to go on from: 0 where there is no checkpoint, or only a damaged one.
int64_t load_checkpoint(const std::string& path, const Trained& trained, Optimizer& optimizer,
                        Progress& progress) {
  const auto kept = load_kept(path, progress);
  if (!kept) return 0;
  const Tensors& tensors = *kept;
  copy_into(trained.weights, tensors, "net.");
  copy_into(trained.extra, tensors, "extra.");
  copy_into(trained.average, tensors, "average.");
  optimizer.load(tensors);
  return std::map<std::string, torch::Tensor>(tensors.begin(), tensors.end())
      .at("step")
      .item<int64_t>();
}

Tensors clone(const Tensors& tensors) {
  Tensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace_back(name, tensor.detach().clone());
  return copies;
}

Trained trained_by(const Net& net, Objective& objective, const TrainingOptions& options) {
  Trained trained;
  trained.weights = state(net);
  if (objective.extra()) trained.extra = state(*objective.extra());
  if (options.ema > 0) trained.average = clone(trained.weights);
  return trained;
}

// Of a step: dropout. A resumed step draws what the first one drew; ranks draw apart, the first as
// one alone.
Random draws_of(const Random& random, int64_t step, const Collective& collective) {
  const Random draws = random.stream("step", step);
  return collective.rank() == 0 ? draws : draws.stream("rank", collective.rank());
}

void update_average(const Tensors& average, const Tensors& now, double ema, int64_t step) {
  const torch::NoGradGuard no_grad;
  const double decay =
      std::min(ema, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
  for (size_t i = 0; i < average.size(); ++i) {
    if (average[i].second.is_floating_point())
      average[i].second.lerp_(now[i].second, 1 - decay);
    else
      average[i].second.copy_(now[i].second);
  }
}

// The gradients' global norm; they are scaled down to `max_norm` where that is not 0.
double clip_gradients(const std::vector<torch::Tensor>& parameters, double max_norm) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  const double norm = torch::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (max_norm > 0 && norm > max_norm) at::_foreach_mul_(gradients, max_norm / (norm + 1e-6));
  return norm;
}

[[noreturn]] void refuse(int64_t step, const std::string& what, const std::string& videos) {
  fail("training step {}: {}; videos: {}. A smaller training.learning_rate, "
       "training.max_gradient_norm, or training.precision=f32 helps",
       step, what, videos);
}

double require_finite(const Losses& losses, int64_t step, const BatchStream& stream,
                      const Batch& batch) {
  const double value = total(losses).item<double>();
  if (std::isfinite(value)) return value;
  std::string parts;
  for (const auto& [name, part] : losses)
    parts += fmt::format("{}{}={}", parts.empty() ? "" : ", ", name, part.item<double>());
  refuse(step, fmt::format("the loss is not finite ({})", parts), stream.describe(batch.rows));
}

struct Learned {
  double loss = 0;     // mean over the micro-batches
  torch::Tensor rows;  // int64, on the CPU: the samples of all of them
};

// Mean losses of the quarters of a training.
class LossTrend {
 public:
  explicit LossTrend(int64_t steps) : steps_(steps) {}

  void add(int64_t step, double loss) {
    const auto quarter = static_cast<size_t>(4 * step / steps_);
    sums_[quarter] += loss;
    ++counts_[quarter];
  }

  double fall() const { return (mean(2) - mean(3)) / mean(0); }

 private:
  double mean(size_t quarter) const {
    return sums_[quarter] / static_cast<double>(counts_[quarter]);
  }

  int64_t steps_;
  std::array<double, 4> sums_{};
  std::array<int64_t, 4> counts_{};
};

// Gathers steps to records.
class StepRecorder {
 public:
  StepRecorder(const WatchSteps& watch, const TrainingOptions& options, int64_t from)
      : watch_(watch),
        options_(options),
        every_((options.steps + kMostStepRecords - 1) / kMostStepRecords),
        from_(from) {}

  void add(int64_t step, const Learned& learned, const Losses& parts) {
    if (!watch_) return;
    loss_ += learned.loss;
    samples_ += learned.rows.size(0);
    if (step % every_ != 0 && step != options_.steps) return;
    const auto now = Clock::now();
    StepRecord record{from_, step, loss_ / static_cast<double>(step - from_)};
    for (const auto& [name, part] : parts) record.parts.emplace_back(name, part.item<double>());
    record.learning_rate = options_.learning_rate * schedule(options_, step - 1);
    record.samples_per_s =
        static_cast<double>(samples_) / std::chrono::duration<double>(now - began_).count();
    watch_(record);
    from_ = step;
    loss_ = 0;
    samples_ = 0;
    began_ = now;
  }

 private:
  const WatchSteps& watch_;
  const TrainingOptions& options_;
  int64_t every_;
  int64_t from_;
  double loss_ = 0;
  int64_t samples_ = 0;
  Clock::time_point began_ = Clock::now();
};

// The gradients of a step, on the device where the net lies.
class Gradients {
 public:
  Gradients(Net& net, Objective& objective, const BatchStream& stream,
            const TrainingOptions& options)
      : net_(net),
        objective_(objective),
        stream_(stream),
        micro_batches_(options.accumulate),
        device_(device_of(net)),
        precision_(net, options.precision) {}

  // Adds those of the step's micro-batches to what the parameters have.
  Learned add(const std::function<Batch()>& next, int64_t step, FitReport& report) {
    const auto count = static_cast<double>(micro_batches_);
    Learned learned;
    double loss = 0;
    for (int64_t micro = 0; micro < micro_batches_; ++micro) {
      const auto waiting = Clock::now();
      const Batch read = next();
      learned.rows = learned.rows.defined() ? torch::cat({learned.rows, read.rows}) : read.rows;
      report.waited_s += since(waiting);
      report.last_losses = losses(read.to(device_));
      loss += require_finite(report.last_losses, step, stream_, read);
      (total(report.last_losses) / count).backward();
    }
    learned.loss = loss / count;
    return learned;
  }

  const Precision& precision() const { return precision_; }

 private:
  Losses losses(const Batch& batch) {
    precision_.prepare(batch.clips);
    const auto scope = precision_.scope();
    return objective_.losses(net_, batch);
  }

  Net& net_;
  Objective& objective_;
  const BatchStream& stream_;
  int64_t micro_batches_;
  torch::Device device_;
  Precision precision_;
};

}  // namespace

void TrainingOptions::visit(OptionVisitor& v) const {
  v("steps", steps, "optimiser steps", between(1, 1e8));
  v("epochs", epochs, "passes over the samples instead of steps; 0: steps", between(0, 1e6));
  v("batch_size", batch_size, "clips in a batch", between(1, 65536));
  v("optimizer", optimizer, "sgd (Nesterov momentum) or adamw", one_of({"sgd", "adamw"}));
  v("learning_rate", learning_rate, "peak learning rate", at_least(0));
  v("momentum", momentum, "momentum of sgd", between(0, 0.9999));
  v("weight_decay", weight_decay, "weight decay, not applied to norms and biases", at_least(0));
  v("warmup", warmup, "share of the steps with a rising learning rate", between(0, 1));
  v("schedule", schedule, "learning rate after the warm-up", one_of({"cosine", "constant"}));
  v("label_smoothing", label_smoothing, "share of each label that is distributed over all classes",
    between(0, 1));
  v("max_gradient_norm", max_gradient_norm, "clips the gradient's global norm; 0: off",
    at_least(0));
  v("ema", ema, "decay of the moving average of the weights, which then replaces them; 0: off",
    between(0, 0.99999));
  v("accumulate", accumulate, "batches per step", between(1, 65536));
  v("precision", precision, "precision of training; auto: bf16 if the device supports it",
    one_of({"auto", "f32", "bf16"}));
  v("device", device,
    "device of training and scoring: auto (the first CUDA device, else the CPU), cpu, cuda, "
    "cuda:1");
  require_device_name(device, v.place() + ": device");
  v("class_balanced", class_balanced, "samples every class equally often");
  v("class_weights", class_weights,
    "weights the loss of a clip by the inverse of the size of its class");
  v("checkpoint_every", checkpoint_every, "steps between checkpoints", at_least(1));
  v("threads", threads, "threads that read clips ahead", between(1, 64));
}

int64_t TrainingOptions::steps_for(int64_t samples) const {
  if (epochs <= 0) return steps;
  return std::max<int64_t>(1,
                           std::llround(std::ceil(epochs * static_cast<double>(samples) /
                                                  static_cast<double>(batch_size * accumulate))));
}

double schedule(const TrainingOptions& options, int64_t step) {
  const double warm = std::floor(options.warmup * static_cast<double>(options.steps));
  const double s = static_cast<double>(step);
  if (s < warm) return (s + 1) / warm;
  if (options.schedule == "constant") return 1;
  return 0.5 * (1 + std::cos(std::numbers::pi * (s - warm) /
                             std::max(1.0, static_cast<double>(options.steps) - warm)));
}

Losses Supervised::losses(Net& net, const Batch& batch) {
  return {{"label", mean_loss(task_, net.forward(batch.clips).logits, batch.targets, batch.weights,
                              label_smoothing_)}};
}

FitReport fit(Net& net, const TrainingOptions& options, Objective& objective,
              const BatchStream& stream, Random random, const std::string& checkpoint,
              Progress& progress, Collective& collective, const WatchSteps& watch) {
  Optimizer optimizer(net, objective.extra(), options);
  const Trained trained = trained_by(net, objective, options);
  FitReport report;
  report.resumed_from = load_checkpoint(checkpoint, trained, optimizer, progress);
  begin_together(collective, report.resumed_from, trained.tensors());
  const auto save = [&](int64_t step) {
    if (checkpoint.empty() || collective.rank() != 0) return;
    save_checkpoint(checkpoint, trained, optimizer, step);
  };
  const auto next = stream.open(report.resumed_from * options.accumulate);
  Gradients gradients(net, objective, stream, options);
  const auto began = Clock::now();
  LossTrend trend(options.steps);
  StepRecorder recorder(watch, options, report.resumed_from);
  net.train();
  for (int64_t step = report.resumed_from; step < options.steps; ++step) {
    torch::manual_seed(draws_of(random, step, collective)());
    objective.starting(step, options.steps);
    optimizer.zero_grad();
    const Learned learned = gradients.add(next, step, report);
    average_gradients(collective, optimizer.parameters(), learned.rows.size(0));
    if (!std::isfinite(clip_gradients(optimizer.parameters(), options.max_gradient_norm)))
      refuse(step, "the gradient is not finite", stream.describe(learned.rows));
    optimizer.step(options.learning_rate * schedule(options, step));
    {
      const torch::NoGradGuard no_grad;
      objective.stepped(net, step + 1, options.steps);
    }
    if (options.ema > 0) update_average(trained.average, trained.weights, options.ema, step + 1);
    report.steps = step + 1;
    trend.add(step, learned.loss);
    recorder.add(step + 1, learned, report.last_losses);
    try {
      progress.step(step + 1, fmt::format("loss {:.3f}", learned.loss));
    } catch (const Interrupted&) {
      save(step + 1);
      throw;
    }
    if ((step + 1) % options.checkpoint_every == 0 && step + 1 < options.steps) save(step + 1);
  }
  if (options.ema > 0) copy_into(trained.weights, trained.average, "");
  net.eval();
  report.seconds = since(began);
  if (report.resumed_from == 0 && options.steps >= kFewestStepsOfTrend)
    report.loss_fall = trend.fall();
  report.precision = gradients.precision().text();
  return report;
}

}  // namespace distal
