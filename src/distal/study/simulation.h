#pragma once
// What a plan puts in place of training, of who answers, of strategies and of the store, so that
// the loop of a trial says how long it takes and what it costs: nothing is trained, asked or
// stored.

#include <map>
#include <set>

#include "distal/learn/pace.h"
#include "distal/learn/trainer.h"
#include "distal/oracles/answer_source.h"
#include "distal/study/trial_record.h"

namespace distal {

class DistillLoss;
class Random;

/// Sums up the seconds of what it is asked to train and to predict. What a NetworkTrainer finds
/// again costs nothing here either.
class SimulatedTrainer final : public Trainer {
 public:
  /// `clips`: how many have features to compute once where a backbone is frozen; `pool`: how many
  /// are pre-trained on.
  SimulatedTrainer(InputOptions input, int64_t classes, int64_t clips, int64_t pool,
                   PaceOf pace_of);

  Model train(const Learner& learner, const Choice<DistillLoss>& loss,
              const std::vector<Sample>& samples, Random random, const std::string& what,
              const Model& teacher = nullptr) override;
  Predictions predict(Net& net, const Learner& learner, const std::vector<Clip>& clips) override;
  Predictions score(Net& net, const Learner& learner, const ClipRefs& clips,
                    int64_t other_clips = 0) override;
  Predictions score_augmented(Net& net, const Learner& learner, const ClipRefs& clips,
                              Random random) override;
  Predictions embeddings(const EmbeddingOptions& options, const ClipRefs& clips) override;
  Pixels pixels(const std::vector<Clip>& clips) override;
  torch::Tensor probabilities(Net& net, const torch::Tensor& values) override;
  std::set<std::string> take_notes() override { return {}; }

  /// From here on the trainings of `arm`. Arms share those on their `initial` samples, and no
  /// others: each asks about clips of its own.
  void begin(const std::string& arm, int64_t initial);

  /// A network that nobody trains, as fast as the learner's.
  Model untrained(const Learner& learner);
  Model untrained(const Learner& learner, Random random) override;
  /// Adds the seconds of the network's answers about so many clips.
  void answer(const Learner& learner, int64_t clips);

  double seconds() const { return seconds_; }          // of what depends on the draw
  double shared_seconds() const { return shared_s_; }  // of what is the same for every draw
  int64_t trainings() const { return trainings_; }

 private:
  Pace pace(const Learner& learner);
  void pretrain(Learner learner, Random random);
  void compute_features(const Learner& learner, Random random);
  Predictions predictions(const Learner& learner, int64_t clips);

  InputOptions input_;
  int64_t classes_, clips_, pool_;
  PaceOf pace_of_;
  std::set<std::string> known_;  // trainings, features and pre-trainings that are there already
  std::string arm_;
  int64_t initial_ = 0;
  double seconds_ = 0;
  double shared_s_ = 0;
  int64_t trainings_ = 0;
};

/// Answers that say nothing.
class SimulatedSource final : public AnswerSource {
 public:
  SimulatedSource(const OracleOptions& options, int64_t classes)
      : options_(options), classes_(classes) {}

  Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) override;
  using AnswerSource::ask;
  std::vector<PersonTime> person_times(const ClipRefs& clips) override;
  bool is_teacher() const override { return options_.is_teacher(); }
  double price() const override { return options_.price; }
  Answerer answerer() const override { return {options_.kind.name, version_}; }
  const std::string& version() const override { return version_; }

 private:
  OracleOptions options_;
  int64_t classes_;
  std::string version_ = "simulated";
};

/// A record that nobody keeps.
class SimulatedRecord final : public TrialRecord {
 public:
  explicit SimulatedRecord(int64_t seed) : seed_(seed) {}

  int64_t seed() const override { return seed_; }
  std::string key() const override { return "simulated"; }
  std::vector<RoundResult> rounds() const override { return {}; }
  std::optional<std::vector<Clip>> reserved(int64_t, const Dataset&) const override {
    return std::nullopt;
  }
  std::optional<std::vector<Clip>> reserved_by(const std::string&, int64_t,
                                               const Dataset&) const override {
    return std::nullopt;
  }
  void reserve(int64_t, const std::vector<Clip>&, const ArmOptions&, double) override {}
  void raise_price(const ClipRefs&, double) override {}
  std::set<std::string> unreserve(int64_t, const std::vector<Clip>&, bool) override { return {}; }
  Store::Spent spent() const override { return {}; }
  void keep_cost(int64_t, const ChoiceCost&) override {}
  ChoiceCost cost(int64_t) const override { return {}; }
  void put_ranking(int64_t, int64_t) override {}
  int64_t ranking(int64_t) const override { return 0; }
  void put_round(const RoundResult&, const std::vector<Clip>&) override {}
  void note(const TrialFindings&) override {}
  void put_student(int64_t, const std::string&) override {}
  bool is_student(int64_t, const std::string&) const override { return false; }
  std::vector<std::string> student_files() const override { return {}; }

 private:
  int64_t seed_;
};

/// A strategy with the same needs that chooses the first clips of the pool.
std::shared_ptr<const Strategy> simulated(const Strategy& strategy);

}  // namespace distal
