#pragma once
// Learning from a teacher by a distillation loss, from its cached answers or by function matching:
// the teacher's network looks at the very view that the student gets, in every step (L. Beyer et
// al., Knowledge distillation: a good teacher is patient and consistent, CVPR 2022, arXiv
// 2106.05237, section 3). Then a step costs the teacher's forward pass too, and losses that compare
// features have them. What a clip's answer cost is paid as before: clips nobody asked about learn
// nothing from the network.

#include <memory>

#include "distal/distill/loss.h"
#include "distal/models/model_fwd.h"
#include "distal/train/fit.h"

namespace distal {

class Random;

class Taught final : public Objective {
 public:
  /// The loss gets the batch's truth, smoothed, and the teacher's probabilities: those of the
  /// batch, or for the same clips those that `teacher` gives for the batch's view. The teacher runs
  /// in evaluation mode and full precision, without gradients.
  explicit Taught(std::shared_ptr<const DistillLoss> loss, double label_smoothing = 0,
                  Model teacher = nullptr, const Task& task = default_task());

  /// With a teacher, before fit: makes what the loss trains beside the net, and takes that and the
  /// teacher to the net's device. `example`: one clip that the teacher answered for, of the sizes
  /// to come, on any device; `samples`: how many clips there are to learn from. Leaves the net in
  /// evaluation mode. Throws Error where the loss does not find its features.
  void prepare(Net& net, const Batch& example, int64_t samples, Random random);

  Losses losses(Net& net, const Batch& batch) override;
  torch::nn::Module* extra() override { return parts_.get(); }
  void starting(int64_t step, int64_t steps) override {
    progress_ = static_cast<double>(step) / static_cast<double>(steps);
  }

 private:
  Lesson lesson(Net& net, const Batch& batch) const;
  void add_teacher(Lesson& lesson, const Batch& batch) const;

  std::shared_ptr<const DistillLoss> loss_;
  double label_smoothing_;
  Model teacher_;
  const Task& task_;
  std::shared_ptr<torch::nn::Module> parts_;
  double progress_ = 0;
};

}  // namespace distal
