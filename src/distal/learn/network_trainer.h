#pragma once
// Trains and predicts on this machine. What a training yields depends on nothing but the learner's
// options, the samples and the seed; its weights are kept under the hash of all that, so that a
// continued run does not train again and arms that begin alike share their first network. With the
// whole backbone frozen, the features of all clips (centre frames, centre crop: no augmentation)
// are computed once, in a fixed order, and the head is trained on them, or fitted (Learner::probe).

#include <functional>
#include <map>
#include <set>

#include "distal/base/choice.h"
#include "distal/data/clip_reader.h"
#include "distal/infer/engine.h"
#include "distal/learn/learner.h"
#include "distal/learn/pretraining.h"
#include "distal/learn/trainer.h"
#include "distal/models/model_fwd.h"

namespace distal {

class DistillLoss;
class Progress;
class Random;

class NetworkTrainer final : public Trainer {
 public:
  using ClipsOf = std::function<std::vector<Clip>()>;
  /// `clips`: all that may ever be predicted or learned from; called where the features of them all
  /// are wanted.
  NetworkTrainer(ClipReader& reader, Classes classes, ClipsOf clips, std::string folder,
                 Progress& progress, const Task& task = default_task());

  /// Before a learner with a pretext section is trained: the clips to pre-train on, and where their
  /// frames are cached.
  void pretrain_on(ClipsOf pool, CacheOptions cache);
  /// A file that save_model wrote after an earlier training. train() takes its weights where the
  /// fingerprint of that training is the same.
  void reuse(const std::string& earlier) { earlier_ = earlier; }
  /// The fingerprint of the last train(): of all that its weights depend on.
  const std::string& training() const { return training_; }

  Model train(const Learner& learner, const Choice<DistillLoss>& loss,
              const std::vector<Sample>& samples, Random random, const std::string& what,
              const Model& teacher = nullptr) override;
  Model untrained(const Learner& learner, Random random) override;
  Predictions predict(Net& net, const Learner& learner, const std::vector<Clip>& clips) override;
  Predictions score(Net& net, const Learner& learner, const ClipRefs& clips,
                    int64_t other_clips = 0) override;
  Predictions score_augmented(Net& net, const Learner& learner, const ClipRefs& clips,
                              Random random) override;
  Pixels pixels(const std::vector<Clip>& clips) override;
  torch::Tensor probabilities(Net& net, const torch::Tensor& values) override;
  double loss_fall() const override { return loss_fall_; }
  std::set<std::string> take_notes() override { return std::exchange(notes_, {}); }

  int64_t worth_freezing =
      kWorthFreezing;  // clips from which on predictions come from a frozen graph

 private:
  Model begin(Learner& learner, Random random);
  Predictions read_and_predict(Net& net, const ClipRefs& clips, const std::string& what,
                               const std::string& precision = "auto", int64_t other_clips = 0);
  Predictions predict_all(Net& net, const Learner& learner, const ClipRefs& clips);
  Predictions features(Net& net, const ClipRefs& clips);
  std::unique_ptr<Objective> objective(Net& net, const Learner& learner,
                                       const Choice<DistillLoss>& loss,
                                       const std::vector<Sample>& samples, Random random,
                                       const Model& teacher) const;
  void read_all(const TrainingOptions& training, const std::vector<Sample>& samples);
  std::vector<Sample> weighed(const Learner& learner, const std::vector<Sample>& samples) const;
  FitReport fit_clips(Net& net, const Learner& learner, Objective& objective,
                      const std::vector<Sample>& samples, Random random,
                      const std::string& checkpoint);
  FitReport fit_probe(Net& net, const Learner& learner, Objective& objective,
                      const std::vector<Sample>& samples, Random random,
                      const std::string& checkpoint);
  FitReport fit_head(Net& net, const Learner& learner, Objective& objective,
                     const std::vector<Sample>& samples, Random random,
                     const std::string& checkpoint);
  void note(const std::string& text);
  /// Copies the weights of earlier_ to `finished` if they are those of training_.
  void take_earlier(const std::string& finished) const;

  ClipReader& reader_;
  Classes classes_;
  LabelSpace labels_;
  ClipsOf clips_, pool_;
  CacheOptions cache_;
  std::string folder_;
  std::string earlier_;   // a model of an earlier run; empty: none
  std::string training_;  // fingerprint of the last training
  double loss_fall_ = std::numeric_limits<double>::quiet_NaN();
  Progress& progress_;
  std::map<std::string, std::map<std::string, torch::Tensor>>
      features_;  // by frozen weights and clip: [D], undefined where unreadable
  std::set<std::string> said_, notes_;
};

}  // namespace distal
