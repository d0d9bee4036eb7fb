#include "distal/learn/pace.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include <ATen/Parallel.h>

#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/model.h"
#include "distal/train/precision.h"

namespace distal {

SameThreads::SameThreads() : count_(at::get_num_threads()) {}
SameThreads::~SameThreads() { at::set_num_threads(count_); }

double seconds_a_call(const std::function<void()>& work) {
  const auto once = [&] {
    check_interrupted();
    const auto began = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  once();
  const double first = once();
  return first < 1 ? (first + once()) / 2 : first;
}

Pace measured_pace(const Learner& learner, const InputOptions& input, int64_t classes) {
  check_interrupted();
  const Model net = learner.model.build(classes, Random(0));
  const int64_t batch = learner.training.batch_size;
  const torch::Tensor embeddings = torch::randn({batch, net->embedding_size()});
  Pace pace;
  net->train();
  if (learner.model.feature_files()) {  // there is nothing else to compute
    pace.step_s = seconds_a_call([&] { net->head(embeddings).square().mean().backward(); });
    return pace;
  }
  const int64_t looked_at = net->network() ? 2 : batch;  // such networks are large
  const torch::Tensor clips =
      torch::randn({looked_at, 3, input.sampling.frames, input.size_px, input.size_px});
  if (learner.backbone_frozen()) {
    pace.step_s = seconds_a_call([&] { net->head(embeddings).square().mean().backward(); });
  } else {
    Precision precision(*net, learner.training.precision);
    precision.prepare(clips);
    pace.step_s = seconds_a_call([&] {
      torch::Tensor loss;
      {
        const auto scope = precision.scope();
        loss = net->forward(clips).logits.square().mean();
      }
      loss.backward();
    });
  }
  net->eval();
  const torch::NoGradGuard no_grad;
  pace.clip_s = seconds_a_call([&] { net->forward(clips); }) / static_cast<double>(looked_at);
  return pace;
}

Pace quickest_pace(const Learner& learner, const InputOptions& input, int64_t classes) {
  constexpr double kLarge_s = 1;  // a step beyond which one thread is not tried
  const Pace all = measured_pace(learner, input, classes);
  if (at::get_num_threads() == 1 || all.step_s > kLarge_s) return all;
  const SameThreads same;
  at::set_num_threads(1);
  const Pace one = measured_pace(learner, input, classes);
  return {std::min(one.step_s, all.step_s), std::min(one.clip_s, all.clip_s)};
}

PaceOf once_each(PaceOf pace_of) {
  const auto known = std::make_shared<std::map<std::string, Pace>>();
  return [known, pace_of = std::move(pace_of)](const Learner& learner, const InputOptions& input,
                                               int64_t classes) {
    ModelOptions model = learner.model;
    model.init.clear();
    model.init_keys.clear();
    const std::string network = fmt::format(
        "{}{} frames {} px {} batch {} {} classes", resolved(model), input.sampling.frames,
        input.size_px, learner.training.batch_size, learner.training.precision, classes);
    const auto at = known->find(network);
    return at != known->end()
               ? at->second
               : known->emplace(network, pace_of(learner, input, classes)).first->second;
  };
}

std::string busy_sentence(double load, int64_t processors) {
  if (load < 0.5 * static_cast<double>(processors)) return "";
  return fmt::format("The machine is busy (load average {:.1f}, {} processors): paces measured now "
                     "are slower than those of an idle one.",
                     load, processors);
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace distal
