#pragma once
// What `distal train` does with a pool without labels: pre-training, and what its frozen features
// are worth.

#include <optional>
#include <string>
#include <vector>

#include "distal/study/recipe.h"

namespace distal {

class Progress;

/// Whether `distal train` has nothing but pre-training to do: a pretext section, and a pool without
/// a single label.
bool pretrains_only(const SharedOptions& shared, const Learner& learner);

/// What pre-training alone gives: a model whose classifier is untrained, to be named as `init`; and
/// what its frozen features are worth where `start` and `test` have labels.
struct Pretrained {
  std::string model;    // the weight file
  std::string account;  // the last losses; empty where nothing was left to train
  int64_t clips = 0;
  int64_t steps = 0;
  // labelled clips of the evaluation
  int64_t learned_from = 0;
  int64_t tested_on = 0;
  std::optional<double> probe,
      neighbours;  // accuracy of the linear probe, and of 10 nearest neighbours
  std::vector<Quarantined> quarantined;
  std::string text() const;  // for people
  std::string json() const;
};

/// The learner of the study's first seed, pre-trained on the pool; FOLDER/pretrained.safetensors.
/// Throws Error; Interrupted after a checkpoint.
Pretrained pretrain(const SharedOptions& shared, const Learner& learner, const std::string& folder,
                    Progress& progress);

/// What `pretrain` would do, in words, with the time of its steps, timed on noise.
std::string pretraining_plan(const SharedOptions& shared, const Learner& learner);

}  // namespace distal
