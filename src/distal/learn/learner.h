#pragma once
// Options of a learner: a network, its training, its augmentation, its pre-training.

#include <optional>

#include "distal/data/batches.h"
#include "distal/models/model_options.h"
#include "distal/pretext/options.h"
#include "distal/train/fit.h"

namespace distal {

class OptionVisitor;

/// How one network is made and trained.
struct Learner {
  ModelOptions model;
  TrainingOptions training;
  AugmentOptions augment;
  std::optional<PretextOptions> pretext;  // first on the pool, without labels; absent: not at all
  bool probe = false;  // the frozen backbone's head is fitted by logistic regression
                       // (learn/linear_probe.h), not by steps
  void visit(OptionVisitor& v) const;
  bool operator==(const Learner&) const = default;
  bool backbone_frozen()
      const;  // each clip's features are then computed once, of the clip as it is
  bool reads_frames() const { return model.feature_files() == nullptr; }
  bool fits_head() const;  // `probe`, or the backbone's head is always a probe
};

}  // namespace distal
