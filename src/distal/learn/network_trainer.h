#pragma once
// Trains and predicts on this machine. What a training yields depends on nothing but the learner's
// options, the samples and the seed; its weights are kept under the hash of all that, so that a
// continued run does not train again and arms that begin alike share their first network. With the
// whole backbone frozen, the features of all clips (centre frames, centre crop: no augmentation)
// are computed once, in a fixed order, and the head is trained on them, or fitted (Learner::probe).
// Those of a network of others are kept on disk too, for all processes (feature_cache.h).

#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "distal/base/choice.h"
#include "distal/data/clip_reader.h"
#include "distal/infer/engine.h"
#include "distal/learn/embedder.h"
#include "distal/learn/learner.h"
#include "distal/learn/pretraining.h"
#include "distal/learn/trainer.h"
#include "distal/models/model_fwd.h"

namespace distal {

class DistillLoss;
class ForeignNetwork;
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
  /// Before a learner whose features stand in files is trained, or embeddings are asked for: the
  /// clips that embeddings are asked for, and the folder that paths of lists are relative to.
  void embed(ClipsOf clips, std::string folder);
  /// A file that save_model wrote after an earlier training. train() takes its weights where the
  /// fingerprint of that training is the same.
  void reuse(const std::string& earlier) { earlier_ = earlier; }
  /// Who is shown the steps of each training; `what` names it, as train() was told. A network that
  /// was kept is not trained, and shown to nobody.
  using WatchTraining = std::function<WatchSteps(const std::string& what)>;
  void watch(WatchTraining watch) { watch_ = std::move(watch); }
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
  Predictions embeddings(const EmbeddingOptions& options, const ClipRefs& clips) override;
  Pixels pixels(const std::vector<Clip>& clips) override;
  torch::Tensor probabilities(Net& net, const torch::Tensor& values) override;
  double loss_fall() const override { return loss_fall_; }
  std::set<std::string> take_notes() override { return std::exchange(notes_, {}); }

  /// Computes the features that the learner's network of others gives, where they are not on disk.
  /// Does nothing for other learners.
  void compute_features(const Learner& learner);
  /// Clips whose features a network of others computed, or that the cache on disk held.
  struct FeatureCounts {
    int64_t computed = 0;
    int64_t found = 0;
  };
  FeatureCounts feature_counts() const { return {computed_, found_}; }

  int64_t worth_freezing =
      kWorthFreezing;  // clips from which on predictions come from a frozen graph

 private:
  Model begin(Learner& learner, Random random, const std::string& what);
  WatchSteps watch_of(const std::string& what) const;
  Predictions read_and_predict(Net& net, const ClipRefs& clips, const std::string& what,
                               const std::string& precision = "auto", int64_t other_clips = 0);
  Predictions predict_all(Net& net, const Learner& learner, const ClipRefs& clips);
  struct Features {
    torch::Tensor values;                           // float32 [M, D]
    std::unordered_map<std::string, int64_t> rows;  // of the values, by clip; -1: unreadable
  };
  const Features& all_features(Net& net);
  Predictions features(Net& net, const Learner& learner, const ClipRefs& clips);
  Predictions looked_up(ForeignNetwork& network, ClipReader& reader, const ClipRefs& clips);
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
  WatchTraining watch_;
  WatchSteps watching_;  // of the training under way
  double loss_fall_ = std::numeric_limits<double>::quiet_NaN();
  Progress& progress_;
  std::map<std::string, Features> features_;  // by frozen weights, or the network of others
  int64_t computed_ = 0;
  int64_t found_ = 0;
  std::unique_ptr<Embedder> of_files_;  // the features of learners
  std::unique_ptr<Embedder> embedder_;  // what strategies see
  std::set<std::string> said_, notes_;
};

}  // namespace distal
