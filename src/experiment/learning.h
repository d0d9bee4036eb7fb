#pragma once
// Training and prediction for an experiment. What a training yields depends on nothing but the learner's options, the
// samples and the seed; its weights are kept under the hash of all that, so that a continued run does not train again and
// arms that begin alike share their first network. With the whole backbone frozen, features are computed once and the head
// is trained on them.

#include <map>
#include <set>

#include "base/progress.h"
#include "experiment/material.h"

namespace distal {

struct Predictions {
  torch::Tensor logits;      // float32 [M, K]
  torch::Tensor embeddings;  // float32 [M, D]
  torch::Tensor rows;        // int64 [M], rows of the clips that could be read
};

struct Labelled {            // what a student learns from
  std::vector<Sample> samples;
  std::vector<bool> taught;  // the target is a teacher's answer, not a true label
};

class Learning {
 public:
  Learning(ClipReader& reader, Classes classes, std::string folder, Progress& progress);

  /// A fresh network, trained. `what` names it in progress and messages; `loss` may be null where no sample is taught.
  Model train(const Learner& learner, const Choice<DistillLoss>& loss, const Labelled& labelled, Random random, const std::string& what);
  Predictions predict(Net& net, const Learner& learner, const std::vector<Clip>& clips);

  const std::vector<Quarantined>& quarantined() const { return quarantined_; }
  const std::string& account() const { return account_; }      // of the last network with init weights
  const std::string& precision() const { return precision_; }  // of the last training
  /// Forgets the networks on disk: an experiment has ended.
  void clear();

 private:
  Predictions read_and_predict(Net& net, const std::vector<Clip>& clips, const std::string& what);
  Predictions features(Net& net, const std::vector<Clip>& clips);
  Labelled weighed(const Learner& learner, const Labelled& labelled) const;
  FitReport fit_clips(Net& net, const Learner& learner, Objective& objective, const Labelled& labelled, Random random, const std::string& checkpoint);
  FitReport fit_head(Net& net, const Learner& learner, Objective& objective, const Labelled& labelled, Random random, const std::string& checkpoint);
  void quarantine(const std::vector<Quarantined>& found);

  ClipReader& reader_;
  Classes classes_;
  std::string folder_;
  Progress& progress_;
  std::map<uint64_t, std::map<std::string, torch::Tensor>> features_;  // by frozen weights and clip: [D], undefined where unreadable
  std::vector<Quarantined> quarantined_;
  std::set<std::string> quarantined_paths_;
  std::string account_, precision_;
};

}  // namespace distal
