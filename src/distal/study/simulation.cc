#include "distal/study/simulation.h"

#include <algorithm>

#include "distal/base/document.h"
#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"
#include "distal/learn/embedder.h"
#include "distal/models/model.h"
#include "distal/models/opened_network.h"

namespace distal {
namespace {

// Nothing runs through it.
class SimulatedNet final : public Net {
 public:
  SimulatedNet(int64_t classes, double clip_s) : classes_(classes), clip_s_(clip_s) {}
  Output forward(const torch::Tensor& clips) override {
    return {logits(clips.size(0)), torch::zeros({clips.size(0), 1})};
  }
  torch::Tensor head(const torch::Tensor& embedding) override { return logits(embedding.size(0)); }
  torch::Tensor head_weight() const override { return torch::zeros({classes_, 1}); }
  int64_t embedding_size() const override { return 1; }
  double clip_s() const { return clip_s_; }

 private:
  torch::Tensor logits(int64_t rows) const {
    return torch::zeros({1, classes_}).expand({rows, classes_});
  }
  int64_t classes_;
  double clip_s_;
};

double clip_s_of(const Net& net) { return dynamic_cast<const SimulatedNet&>(net).clip_s(); }

class FirstOfPool final : public Strategy {
 public:
  explicit FirstOfPool(Needs needs) : needs_(std::move(needs)) {}
  Needs needs() const override { return needs_; }
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return -torch::arange(scores.size(), torch::kFloat64);
  }

 private:
  Needs needs_;
};

std::string keys_of(const std::vector<Sample>& samples) {
  uint64_t hash = fnv1a("samples");
  for (const Sample& sample : samples)
    hash = fnv1a(sample.clip.key() + (sample.teacher.empty() ? "" : "taught"), hash);
  return fmt::format("{:016x}", hash);
}

// The name of a draw.
std::string name_of(Random random) { return fmt::format("{:016x}", random()); }

}  // namespace

SimulatedTrainer::SimulatedTrainer(InputOptions input, int64_t classes, int64_t clips, int64_t pool,
                                   PaceOf pace_of)
    : input_(std::move(input)),
      classes_(classes),
      clips_(clips),
      pool_(pool),
      pace_of_(std::move(pace_of)) {}

// A step is one of the optimiser.
Pace SimulatedTrainer::pace(const Learner& learner) {
  check_interrupted();
  Pace pace = pace_of_(learner, input_, classes_);
  pace.step_s *= static_cast<double>(learner.training.accumulate);
  return pace;
}

Model SimulatedTrainer::train(const Learner& learner, const Choice<DistillLoss>& loss,
                              const std::vector<Sample>& samples, Random random, const std::string&,
                              const Model& teacher) {
  ++trainings_;
  if (learner.pretext) pretrain(learner, random);
  if (learner.backbone_frozen()) compute_features(learner, random);
  const bool answered = std::any_of(samples.begin(), samples.end(),
                                    [](const Sample& sample) { return !sample.teacher.empty(); });
  const bool uses_loss = answered || (loss.method && !loss.method->needs_teacher());
  const std::string own = std::ssize(samples) > initial_ ? arm_ : "";
  const std::string key =
      fmt::format("training {} {} {} {} {}", resolved(learner), keys_of(samples), name_of(random),
                  uses_loss ? resolved(loss) : "", own);
  if (known_.insert(key).second && !learner.fits_head()) {  // a probe is fitted without steps
    const double teacher_s =
        teacher && answered ? clip_s_of(*teacher) * static_cast<double>(learner.training.batch_size)
                            : 0;
    seconds_ += static_cast<double>(learner.training.steps_for(std::ssize(samples))) *
                (pace(learner).step_s + teacher_s);
  }
  return untrained(learner);
}

Model SimulatedTrainer::untrained(const Learner& learner, Random random) {
  if (learner.pretext) pretrain(learner, random);
  if (learner.backbone_frozen()) compute_features(learner, random);
  return untrained(learner);
}

// Once for each network and draw, on the pool, with nothing frozen: a step goes over the clips of
// its own batch, once a task where all are drawn, and without a gradient over their keys.
void SimulatedTrainer::pretrain(Learner learner, Random random) {
  const PretextOptions pretext = *learner.pretext;
  learner.pretext.reset();
  learner.model.freeze.clear();
  learner.probe = false;
  const std::string key = fmt::format("pre-training {} {} {}", resolved(learner.model),
                                      resolved(pretext), name_of(random));
  if (!known_.insert(key).second) return;
  learner.training = pretext.training;
  const double passes = (pretext.draw == "all" ? static_cast<double>(pretext.tasks.size()) : 1) +
                        (pretext.contrasts() ? 0.4 : 0);
  seconds_ +=
      static_cast<double>(pretext.training.steps_for(pool_)) * pace(learner).step_s * passes;
}

// A frozen backbone sees each clip once; one with random weights is another for every draw.
void SimulatedTrainer::compute_features(const Learner& learner, Random random) {
  const bool drawn = !learner.model.head_alone() && (learner.model.init.empty() || learner.pretext);
  if (!known_
           .insert(
               fmt::format("features {} {}", resolved(learner.model), drawn ? name_of(random) : ""))
           .second)
    return;
  (drawn ? seconds_ : shared_s_) += static_cast<double>(clips_) * pace(learner).clip_s;
}

Predictions SimulatedTrainer::predictions(const Learner& learner, int64_t clips) {
  if (!learner.backbone_frozen()) seconds_ += static_cast<double>(clips) * pace(learner).clip_s;
  return {torch::zeros({1, classes_}).expand({clips, classes_}), torch::zeros({clips, 1}),
          torch::arange(clips, torch::kInt64)};  // no memory a clip
}

Predictions SimulatedTrainer::predict(Net&, const Learner& learner,
                                      const std::vector<Clip>& clips) {
  return predictions(learner, std::ssize(clips));
}

Predictions SimulatedTrainer::score(Net&, const Learner& learner, const ClipRefs& clips, int64_t) {
  return predictions(learner, std::ssize(clips));
}

// Augmented clips have no features to look up.
Predictions SimulatedTrainer::score_augmented(Net&, const Learner& learner, const ClipRefs& clips,
                                              Random) {
  seconds_ += static_cast<double>(clips.size()) * pace(learner).clip_s;
  return {torch::zeros({1, classes_}).expand({std::ssize(clips), classes_}), torch::Tensor(),
          torch::arange(std::ssize(clips), torch::kInt64)};
}

// A network from elsewhere is run once on each clip, for all trials.
Predictions SimulatedTrainer::embeddings(const EmbeddingOptions& options, const ClipRefs& clips) {
  if (options.network && known_.insert("embeddings " + resolved(options)).second) {
    Learner learner;
    Document::text("{model: {name: network}}", "embeddings")
        .with({{"model.network", resolved(*options.network)}})
        .read(learner);
    const InputOptions input = input_for(*opened_network(*options.network), input_);
    shared_s_ += static_cast<double>(clips_) * pace_of_(learner, input, classes_).clip_s;
  }
  return {torch::Tensor(), torch::zeros({std::ssize(clips), 1}),
          torch::arange(std::ssize(clips), torch::kInt64)};
}

Pixels SimulatedTrainer::pixels(const std::vector<Clip>& clips) {
  return {clips, torch::zeros({std::ssize(clips), 3, 1, 1, 1}, torch::kUInt8)};
}

torch::Tensor SimulatedTrainer::probabilities(Net& net, const torch::Tensor& values) {
  seconds_ += static_cast<double>(values.size(0)) * clip_s_of(net);
  return torch::full({values.size(0), classes_}, 1.0 / static_cast<double>(classes_));
}

void SimulatedTrainer::begin(const std::string& arm, int64_t initial) {
  arm_ = arm;
  initial_ = initial;
}

Model SimulatedTrainer::untrained(const Learner& learner) {
  return std::make_shared<SimulatedNet>(classes_, pace(learner).clip_s);
}

void SimulatedTrainer::answer(const Learner& learner, int64_t clips) {
  seconds_ += static_cast<double>(clips) * pace(learner).clip_s;
}

Answers SimulatedSource::ask(const ClipRefs& clips, const std::vector<AskedFor>&) {
  const std::vector<double> even(classes_, 1.0 / static_cast<double>(classes_));
  return {std::vector<std::vector<double>>(clips.size(), even), {}};
}

std::vector<PersonTime> SimulatedSource::person_times(const ClipRefs& clips) {
  std::vector<PersonTime> times;
  if (!options_.kind->traits().people) return times;
  for (const Clip* clip : clips)
    times.push_back({false, 0, options_.kind->person_seconds(clip->duration_s())});
  return times;
}

std::shared_ptr<const Strategy> simulated(const Strategy& strategy) {
  return std::make_shared<FirstOfPool>(strategy.needs());
}

}  // namespace distal
