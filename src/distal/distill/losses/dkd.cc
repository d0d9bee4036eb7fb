// Decoupled knowledge distillation: the divergence of kd in two parts with weights of their own.
// With y the class of a clip, b = (p[y], 1 - p[y]) and n the distribution over the other classes,
// both at temperature tau,
//
//   CE(truth, z) + alpha tau^2 KL(b_t || b_s) + beta tau^2 KL(n_t || n_s),
//   KL(p_t || p_s) = KL(b_t || b_s) + (1 - p_t[y]) KL(n_t || n_s)    (kd weighs the second part
//   down).
//
// As in megvii-research/mdistiller: the class is left out of n by subtracting 1000 from its
// softened logit. Works from probabilities, re-tempered. Deviations: where the truth is unknown, y
// is the teacher's most probable class and there is no CE; the published linear warm-up (20 of 240
// epochs) is an option of `sum`. Published beta: 2 to 8 by pair of networks. A formula of one label
// a clip.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class Dkd final : public DistillLoss {
 public:
  struct Options {
    double tau = 4;
    double alpha = 1;
    double beta = 8;
    double truth = 1;
    void visit(OptionVisitor& v) const {
      v("tau", tau, "temperature that softens both distributions", between(0.05, 100));
      v("alpha", alpha, "weight of the class against all others", at_least(0));
      v("beta", beta, "weight of the others among themselves", at_least(0));
      v("truth", truth, "weight of the cross entropy with the truth", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Dkd(const Options& options) : options_(options) {}

  Losses losses(const Lesson& lesson) const override {
    const double squared = options_.tau * options_.tau;
    const auto z = at_least_float32(lesson.student.logits);
    const auto has_teacher = known_rows(lesson.teacher);
    const auto has_truth = known_rows(lesson.truth);
    const auto either = has_truth | has_teacher;
    const auto answers = torch::where(has_teacher.unsqueeze(1), lesson.teacher.detach(),
                                      torch::ones_like(lesson.teacher))
                             .to(z.dtype());
    const Split student = split(z / options_.tau, likely_classes(lesson));
    const Split teacher =
        split(answers.clamp_min(1e-8).log() / options_.tau, likely_classes(lesson));
    const auto mean = [&](const torch::Tensor& rows, const torch::Tensor& applies) {
      return weighted_mean(rows, lesson.weights, applies, either);
    };
    return {{"truth", mean(options_.truth * lesson.task->loss(z, lesson.truth), has_truth)},
            {"target", mean(options_.alpha * squared * divergence(teacher.binary, student.binary),
                            has_teacher)},
            {"others", mean(options_.beta * squared * divergence(teacher.others, student.others),
                            has_teacher)}};
  }

 private:
  struct Split {           // logarithms of probabilities
    torch::Tensor binary;  // [N, 2], the class and all others
    torch::Tensor others;  // [N, K], the others among themselves; about -1000 for the class
  };
  static Split split(const torch::Tensor& logits, const torch::Tensor& classes) {
    const auto without = logits - 1000 * torch::one_hot(classes, logits.size(1)).to(logits.dtype());
    const auto whole = logits.logsumexp(1);
    const auto rest = without.logsumexp(1);
    const auto target = logits.gather(1, classes.unsqueeze(1)).squeeze(1);
    return {torch::stack({target - whole, rest - whole}, 1), without.log_softmax(1)};
  }
  static torch::Tensor divergence(const torch::Tensor& log_p, const torch::Tensor& log_q) {
    return (log_p.exp() * (log_p - log_q)).sum(1);
  }
  Options options_;
};

extern const Entry<DistillLoss> dkd;
const Entry<DistillLoss> dkd =
    entry<DistillLoss, Dkd>("kd with the class and the other classes weighed apart",
                            "B. Zhao, Q. Cui, R. Song, Y. Qiu, J. Liang, Decoupled knowledge "
                            "distillation, CVPR 2022, arXiv 2203.08679, section 3");

}  // namespace distal::losses
