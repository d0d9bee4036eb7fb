// Knowledge distillation with a temperature, from the teacher's probabilities:
//
//   (1 - alpha) CE(truth, z) + alpha tau^2 KL(p_t^tau || softmax(z / tau)),    p_t^tau =
//   normalise(p_t^(1 / tau)).
//
// A clip whose truth is unknown has alpha = 1, one without a teacher alpha = 0. tau^2 keeps the
// gradients of the second part as large as those of the first whatever tau. Defaults as in
// HobbitLong/RepDistiller. KL is summed over classes and averaged over clips; codes that call
// KLDivLoss with its default divide by K too and make up for it with a multiplier.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class Kd final : public DistillLoss {
 public:
  struct Options {
    double tau = 4;
    double alpha = 0.9;
    void visit(OptionVisitor& v) const {
      v("tau", tau, "temperature that softens both distributions", between(0.05, 100));
      v("alpha", alpha, "share of the teacher where the truth is known too", between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Kd(const Options& options) : options_(options) {}

  Losses losses(const Lesson& lesson) const override {
    const auto z = at_least_float32(lesson.student.logits);
    const auto has_teacher = known_rows(lesson.teacher);
    const auto has_truth = known_rows(lesson.truth);
    const auto share = 1 - (1 - options_.alpha) * has_truth.to(z.dtype());  // alpha, or 1
    const auto rest = 1 - options_.alpha * has_teacher.to(z.dtype());       // 1 - alpha, or 1
    const auto p = softened(*lesson.task, lesson.teacher.detach().to(z.dtype()), options_.tau);
    const auto apart = options_.tau * options_.tau * divergence(*lesson.task, z / options_.tau, p);
    return {{"truth", weighted_mean(rest * lesson.task->loss(z, lesson.truth), lesson.weights,
                                    has_truth, has_truth | has_teacher)},
            {"teacher",
             weighted_mean(share * apart, lesson.weights, has_teacher, has_truth | has_teacher)}};
  }

 private:
  Options options_;
};

extern const Entry<DistillLoss> kd;
const Entry<DistillLoss> kd =
    entry<DistillLoss, Kd>("truth and the teacher's softened probabilities",
                           "G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural "
                           "network, NIPS workshop 2014, arXiv 1503.02531, section 2");

}  // namespace distal::losses
