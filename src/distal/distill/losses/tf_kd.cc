// Teacher-free knowledge distillation, its two forms.
//
// Where only the truth y is known, a virtual teacher u (`correct` on y, the rest even over the
// others) regularises:
//   (1 - alpha) CE(truth, z) + alpha multiplier KL(softmax(u / tau) || softmax(z)).
// Where a teacher answered (self-training: give a trained copy of the student as oracle.path):
//   (1 - self_alpha) CE(truth, z) + self_alpha self_multiplier tau^2 KL(p_t^tau || softmax(z /
//   tau)),  tau = self_tau;
// a clip whose truth is unknown has self_alpha = 1.
//
// As in the published code (yuanli2333/Teacher-free-Knowledge-Distillation), which differs from the
// paper: the temperature softens the probabilities u, not logits, and the student is not softened
// in the first form. Deviation from that code: its KL is divided by K too; its multipliers 100 and
// 50, used with K = 100, are 1 and 0.5 here. The virtual teacher is one of one label a clip.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class TfKd final : public DistillLoss {
 public:
  struct Options {
    double alpha = 0.1;
    double tau = 20;
    double correct = 0.99;
    double multiplier = 1;
    double self_alpha = 0.95;
    double self_tau = 6;
    double self_multiplier = 0.5;
    void visit(OptionVisitor& v) const {
      v("alpha", alpha, "share of the virtual teacher", between(0, 1));
      v("tau", tau, "temperature that softens the virtual teacher", between(0.05, 100));
      v("correct", correct, "the virtual teacher's probability of the true class", between(0, 1));
      v("multiplier", multiplier, "factor of the part of the virtual teacher", at_least(0));
      v("self_alpha", self_alpha, "share of a teacher that answered", between(0, 1));
      v("self_tau", self_tau, "temperature that softens its answers and the student",
        between(0.05, 100));
      v("self_multiplier", self_multiplier, "factor of the part of a teacher that answered",
        at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit TfKd(const Options& options) : options_(options) {}

  bool needs_teacher() const override { return false; }
  Losses losses(const Lesson& lesson) const override {
    const auto& o = options_;
    const auto z = at_least_float32(lesson.student.logits);
    const auto has_teacher = known_rows(lesson.teacher);
    const auto has_truth = known_rows(lesson.truth);
    const auto either = has_truth | has_teacher;
    const auto taught = has_teacher.to(z.dtype());
    const auto share = 1 - (1 - o.self_alpha) * has_truth.to(z.dtype());
    const auto rest =
        1 - o.alpha - (o.self_alpha - o.alpha) * taught;  // 1 - alpha, or 1 - self_alpha
    const auto p = softened(*lesson.task, lesson.teacher.detach().to(z.dtype()), o.self_tau);
    const auto self =
        o.self_multiplier * o.self_tau * o.self_tau * divergence(*lesson.task, z / o.self_tau, p);
    const auto regulariser =
        o.alpha * o.multiplier *
        divergence(*lesson.task, z, virtual_teacher(likely_classes(lesson), z));
    return {
        {"truth", weighted_mean(rest * lesson.task->loss(z, lesson.truth), lesson.weights,
                                has_truth, either)},
        {"virtual", weighted_mean(regulariser, lesson.weights, has_truth & ~has_teacher, either)},
        {"teacher", weighted_mean(share * self, lesson.weights, has_teacher, either)}};
  }

 private:
  torch::Tensor virtual_teacher(const torch::Tensor& classes,
                                const torch::Tensor& z) const {  // [N, K]
    const auto count = static_cast<double>(std::max<int64_t>(1, z.size(1) - 1));
    const auto y = torch::one_hot(classes, z.size(1)).to(z.dtype());
    return ((options_.correct * y + (1 - options_.correct) / count * (1 - y)) / options_.tau)
        .softmax(1);
  }
  Options options_;
};

extern const Entry<DistillLoss> tf_kd;
const Entry<DistillLoss> tf_kd = entry<DistillLoss, TfKd>(
    "a hand-made teacher as regulariser, or the student's own trained copy",
    "L. Yuan, F. E. H. Tay, G. Li, T. Wang, J. Feng, Revisiting knowledge distillation via label "
    "smoothing regularization, CVPR 2020, arXiv 1909.11723, section 4");

}  // namespace distal::losses
