#include "distal/study/split.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <thread>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/learn/pace.h"
#include "distal/models/gate.h"
#include "distal/models/model.h"

namespace distal {
namespace {

using StepClock = std::chrono::steady_clock;

constexpr size_t kSteps = 4;      // timed at most; their median counts
constexpr double kTimed_s = 0.4;  // after which no further step is timed
constexpr int64_t kClasses = 8;   // a head's size makes no difference
constexpr size_t kNetworks = 8;   // measured at most

double seconds_of(const std::function<void()>& work) {
  const auto began = StepClock::now();
  work();
  return std::chrono::duration<double>(StepClock::now() - began).count();
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A network with a batch of noise.
class Specimen {
 public:
  Specimen(const Learner& learner, const InputOptions& input, int64_t clips)
      : frozen_(learner.backbone_frozen()), head_alone_(learner.model.head_alone()) {
    ModelOptions model = learner.model;
    model.init.clear();
    model.freeze.clear();
    net_ = model.build(kClasses, Random(0));
    bf16_ = learner.training.precision != "f32" && cpu_has_bf16();
    clips_ = head_alone_
                 ? torch::randn({clips, net_->embedding_size()})
                 : torch::randn({clips, 3, input.sampling.frames, input.size_px, input.size_px});
  }
  // Where features come from elsewhere only the head: they are there before the trials begin.
  void look() {
    const torch::NoGradGuard no_grad;
    net_->eval();
    head_alone_ ? void(net_->head(clips_)) : void(net_->forward(clips_));
  }
  // Frozen networks are only looked through.
  void step() {
    if (frozen_ && !head_alone_) return look();
    net_->train();
    if (frozen_) {
      net_->head(clips_).square().mean().backward();
      return;
    }
    torch::Tensor logits;
    {
      const auto scope = bf16_ ? std::make_unique<Bf16Scope>() : nullptr;
      logits = net_->forward(clips_).logits;
    }
    logits.to(torch::kFloat).square().mean().backward();
  }

 private:
  bool frozen_, head_alone_, bf16_ = false;
  Model net_;
  torch::Tensor clips_;
};

// On one thread, whose time other programs stretch least.
bool is_large(const Learner& learner, const InputOptions& input, double large_s) {
  at::set_num_threads(1);
  Specimen one(learner, input, 1);
  double least = seconds_of([&] { one.look(); });
  for (int64_t i = 0; i < 2 && least >= large_s; ++i)
    least = std::min(least, seconds_of([&] { one.look(); }));
  return least >= large_s;
}

double step_s(const Learner& learner, const InputOptions& input, const ProcessorSplit& split) {
  std::barrier<> together(split.jobs);
  std::vector<double> steps(static_cast<size_t>(split.jobs));
  std::vector<std::exception_ptr> errors(static_cast<size_t>(split.jobs));
  const auto train = [&](size_t job) {
    try {
      at::set_num_threads(static_cast<int>(split.threads));  // of this thread
      Specimen specimen(learner, input, learner.training.batch_size);
      specimen.step();
      together.arrive_and_wait();
      std::vector<double> took;
      for (double all = 0; took.size() < kSteps && all < kTimed_s; all += took.back())
        took.push_back(seconds_of([&] { specimen.step(); }));
      steps[job] = middle(took);
    } catch (...) {
      errors[job] = std::current_exception();
      together.arrive_and_drop();
    }
  };
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < steps.size(); ++i) others.emplace_back(train, i);
    train(0);
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return std::accumulate(steps.begin(), steps.end(), 0.0) / static_cast<double>(split.jobs);
}

std::string counted(int64_t count, const char* one, const char* many) {
  return count == 1 ? fmt::format("one {}", one) : fmt::format("{} {}", count, many);
}

struct TimedStudent {
  const Learner* learner;
  int64_t trials;
};

// Those that most trials train, kNetworks of them.
std::vector<TimedStudent> distinct_students(const Study& study) {
  std::map<std::string, size_t> known;
  std::vector<TimedStudent> students;
  for (const Arm& arm : study.arms) {
    ModelOptions model = arm.options.student.model;
    const auto [at, fresh] = known.try_emplace(
        fmt::format("{}{}", resolved(model), arm.options.student.training.batch_size),
        students.size());
    if (fresh) students.push_back({&arm.options.student, 0});
    students[at->second].trials += study.shared.seeds;
  }
  std::stable_sort(
      students.begin(), students.end(),
      [](const TimedStudent& a, const TimedStudent& b) { return a.trials > b.trials; });
  if (students.size() > kNetworks) students.resize(kNetworks);
  return students;
}

}  // namespace

std::string ProcessorSplit::text() const {
  if (jobs == 1)
    return fmt::format("one trial at a time on {}", counted(threads, "thread", "threads"));
  return fmt::format("{} trials side by side, {} each", jobs,
                     counted(threads, "thread", "threads"));
}

std::vector<ProcessorSplit> possible_splits(int64_t trials, int64_t threads) {
  const int64_t beside = std::max<int64_t>(1, std::min(trials, threads));
  std::vector<ProcessorSplit> splits;
  for (const ProcessorSplit& split :
       {ProcessorSplit{1, threads}, ProcessorSplit{beside, threads / beside},
        ProcessorSplit{beside, 1}}) {
    if (std::find(splits.begin(), splits.end(), split) == splits.end()) splits.push_back(split);
  }
  return splits;
}

ProcessorSplit quickest(const std::vector<ProcessorSplit>& splits,
                        const std::vector<StepTimes>& networks) {
  std::vector<double> total(splits.size(), 0);
  int64_t trials = 0;
  for (const StepTimes& network : networks) trials += network.trials;
  for (size_t i = 0; i < splits.size(); ++i) {
    for (const StepTimes& network : networks)
      total[i] += static_cast<double>(network.trials) * network.step_s[i];
    const int64_t turns =
        (trials + splits[i].jobs - 1) / splits[i].jobs;  // the last may leave some idle
    total[i] *= static_cast<double>(turns) / static_cast<double>(trials);
  }
  const double best = *std::min_element(total.begin(), total.end());
  for (size_t i = 0; i < splits.size(); ++i) {
    if (total[i] <= 1.05 * best) return splits[i];
  }
  return splits.front();
}

ProcessorSplit measured_split(const Study& study, Progress& progress, double large_s) {
  const int64_t trials = std::ssize(study.arms) * study.shared.seeds;
  const auto splits = possible_splits(trials, at::get_num_threads());
  if (splits.size() == 1) return splits.front();
  const SameThreads same;
  const auto students = distinct_students(study);
  std::vector<StepTimes> networks;
  progress.begin("timing the students' steps", std::ssize(students), "networks");
  for (const TimedStudent& student : students) {
    progress.step(std::ssize(networks));
    const Learner& learner = *student.learner;
    const InputOptions& input = study.shared.input;
    if (is_large(learner, input, large_s)) {
      progress.end();
      progress.say(
          fmt::format("networks this large train on all threads: {}", splits.front().text()));
      return splits.front();
    }
    StepTimes& times = networks.emplace_back(StepTimes{student.trials, {}});
    for (const ProcessorSplit& split : splits) {
      check_interrupted();
      times.step_s.push_back(step_s(learner, input, split));
    }
  }
  progress.end();
  const ProcessorSplit chosen = quickest(splits, networks);
  std::vector<std::string> measured;
  for (size_t i = 0; i < splits.size(); ++i) {
    double step = 0;
    for (const StepTimes& network : networks)
      step += network.step_s[i] / static_cast<double>(networks.size());
    measured.push_back(fmt::format("{}: {:.0f} ms a step", splits[i].text(), 1e3 * step));
  }
  progress.say(fmt::format("{} ({})", chosen.text(), fmt::join(measured, "; ")));
  return chosen;
}

int64_t quicker_threads(int64_t all, double step_on_all_s, double step_on_one_s) {
  return step_on_all_s <= 1.05 * step_on_one_s ? all : 1;
}

int64_t measured_threads(const Learner& learner, const InputOptions& input, double large_s) {
  const int64_t all = at::get_num_threads();
  const SameThreads same;
  if (all == 1 || is_large(learner, input, large_s)) return all;
  return quicker_threads(all, step_s(learner, input, {1, all}), step_s(learner, input, {1, 1}));
}

}  // namespace distal
