#pragma once
// Self-supervised pre-training on the pool: a network that has seen the pool's clips without their labels is where fine-tuning
// starts. It happens once for fresh weights, options, clips and seed; the result is kept under the hash of those, so every round,
// every arm that begins alike and every continued run finds it.

#include <optional>
#include <string>
#include <vector>

#include "distal/base/progress.h"
#include "distal/experiment/recipe.h"

namespace distal {

class Pretraining {
 public:
  /// `input` is what the network sees of a clip; views have its size and frames, but are runs of consecutive frames (rule dense,
  /// pretext.stride apart). Weights are kept in `folder`, which exists.
  Pretraining(InputOptions input, CacheOptions cache, std::vector<Clip> pool, std::string folder, Progress& progress);

  /// Pre-trains a network that begins as `net` and puts its weights before the classifier into `net`, frozen or not; the classifier
  /// stays as it is. learner.pretext is there. Throws Error: no clip of the pool has the frames a view needs, clips too short for
  /// a task; and as fit does.
  void start(Net& net, const Learner& learner, int64_t classes, Random random);

  const std::string& account() const { return account_; }  // of the last training: its losses; empty where it was found on disk

 private:
  InputOptions views(const PretextOptions& pretext) const;
  void require_long_enough(ClipReader& reader);
  void fit_views(Net& net, const std::function<Model()>& twin, const PretextOptions& pretext, Random random, const std::string& checkpoint);

  InputOptions input_;
  CacheOptions cache_;
  std::vector<Clip> pool_;
  std::string folder_;
  Progress& progress_;
  std::string account_;
};

/// Whether `distal train` has nothing but pre-training to do: a pretext section, and a pool without a single label.
bool pretrains_only(const Recipe& recipe);

/// What pre-training alone gives: a model whose classifier is untrained, to be named as `init`; and what its frozen features are
/// worth where `start` and `test` have labels.
struct Pretrained {
  std::string model;                      // the weight file
  std::string account;                    // the last losses; empty where nothing was left to train
  int64_t clips = 0, steps = 0;
  int64_t learned_from = 0, tested_on = 0;  // labelled clips of the evaluation
  std::optional<double> probe, neighbours;  // accuracy of the linear probe, and of 10 nearest neighbours
  std::vector<Quarantined> quarantined;
  std::string text() const;               // for people
  std::string json() const;
};

/// The student of the recipe's first seed, pre-trained on the pool; FOLDER/pretrained.safetensors. Throws Error; Interrupted after a
/// checkpoint.
Pretrained pretrain(const Recipe& recipe, const std::string& folder, Progress& progress);

/// What `pretrain` would do, in words, with the time of its steps, timed on noise.
std::string pretraining_plan(const Recipe& recipe);

}  // namespace distal
