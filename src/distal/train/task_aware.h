#pragma once
// A prediction head beside any objective, for families of augmentation that tell which
// transformation a clip went through (data/augmentation.h, head_classes): the objective's losses,
// and
//
//   weight CE(head(f(clip)), transformation)    as `transform`,
//
// on the features that the objective has just computed, so it costs no second pass. One linear
// layer, thrown away after training.

#include <memory>

#include "distal/train/fit.h"

namespace distal {

class Augmentation;
class Linear;
class Net;
class Random;

class TaskAware final : public Objective {
 public:
  /// `inner` outlives this and has its `extra` already; of an objective with an extra of its own,
  /// that is the child `inner`, and the head the child `head`. The head depends on `random` alone
  /// and lies where `net` does.
  TaskAware(Objective& inner, const Augmentation& family, const Net& net, Random random);

  /// batch.transform says what each clip went through.
  Losses losses(Net& net, const Batch& batch) override;
  torch::nn::Module* extra() override { return extra_.get(); }
  void starting(int64_t step, int64_t steps) override { inner_.starting(step, steps); }
  void stepped(Net& net, int64_t step, int64_t steps) override { inner_.stepped(net, step, steps); }

 private:
  Objective& inner_;
  double weight_;
  std::shared_ptr<torch::nn::Module> extra_;
  std::shared_ptr<Linear> head_;
};

}  // namespace distal
