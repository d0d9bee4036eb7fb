#pragma once
// Self-supervised pre-training on the pool: a network that has seen the pool's clips without their
// labels is where fine-tuning starts. It happens once for fresh weights, options, clips and seed;
// the result is kept under the hash of those, so every round, every arm that begins alike and every
// continued run finds it.

#include <string>
#include <vector>

#include "distal/data/clip_reader.h"
#include "distal/learn/learner.h"
#include "distal/train/fit.h"

namespace distal {

class Progress;
class Random;

class Pretraining {
 public:
  /// `input` is what the network sees of a clip; views have its size and frames, but are runs of
  /// consecutive frames (rule dense, pretext.stride apart). Weights are kept in `folder`, which
  /// exists.
  Pretraining(InputOptions input, CacheOptions cache, std::vector<Clip> pool, std::string folder,
              Progress& progress);

  /// Pre-trains a network that begins as `net` and puts its weights before the classifier into
  /// `net`, frozen or not; the classifier stays as it is. learner.pretext is there. Throws Error:
  /// no clip of the pool has the frames a view needs, clips too short for a task; and as fit does.
  void start(Net& net, const Learner& learner, int64_t classes, Random random);

  /// Who is shown the steps of a training.
  void watch(WatchSteps watch) { watch_ = std::move(watch); }

  const std::string& account() const {
    return account_;
  }  // of the last training: its losses; empty where it was found on disk

 private:
  InputOptions views(const PretextOptions& pretext) const;
  void require_long_enough(ClipReader& reader);
  void fit_views(Net& net, const std::function<Model()>& twin, const PretextOptions& pretext,
                 Random random, const std::string& checkpoint);

  InputOptions input_;
  CacheOptions cache_;
  std::vector<Clip> pool_;
  std::string folder_;
  Progress& progress_;
  WatchSteps watch_;
  std::string account_;
};

/// The learner's network of so many classes, with everything trained.
Model unfrozen(const Learner& learner, int64_t classes);

}  // namespace distal
