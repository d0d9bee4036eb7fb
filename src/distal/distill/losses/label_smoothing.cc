// Label smoothing: CE with (1 - epsilon) on the class and epsilon / (K - 1) on each other, the
// control that shows how much of a teacher's gain is regularisation. Teacher-free: where the truth
// is unknown the class is the teacher's most probable one, and nothing else of its answer is used.
// A soft truth p becomes (1 - epsilon) p + epsilon (1 - p) / (K - 1). Deviation: the paper (section
// 7) spreads epsilon over all K classes, which is `training.label_smoothing`; this is the form of
// the controls in L. Yuan et al., CVPR 2020. A formula of one label a clip.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class LabelSmoothing final : public DistillLoss {
 public:
  struct Options {
    double epsilon = 0.1;
    void visit(OptionVisitor& v) const {
      v("epsilon", epsilon, "probability that the other classes share", between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit LabelSmoothing(const Options& options) : options_(options) {}

  bool needs_teacher() const override { return false; }
  Losses losses(const Lesson& lesson) const override {
    const auto z = at_least_float32(lesson.student.logits);
    const auto has_truth = known_rows(lesson.truth);
    const auto has_teacher = known_rows(lesson.teacher) & ~has_truth;
    const int64_t classes = z.size(1);
    const auto guess = torch::one_hot(likely_classes(lesson), classes).to(z.dtype());
    const auto p = torch::where(has_truth.unsqueeze(1), lesson.truth.to(z.dtype()), guess);
    const auto spread =
        (1 - options_.epsilon) * p +
        options_.epsilon * (1 - p) / static_cast<double>(std::max<int64_t>(1, classes - 1));
    const auto rows = lesson.task->loss(z, spread);
    return {{"truth", weighted_mean(rows, lesson.weights, has_truth, has_truth | has_teacher)},
            {"teacher", weighted_mean(rows, lesson.weights, has_teacher, has_truth | has_teacher)}};
  }

 private:
  Options options_;
};

extern const Entry<DistillLoss> label_smoothing;
const Entry<DistillLoss> label_smoothing = entry<DistillLoss, LabelSmoothing>(
    "cross entropy with softened labels; teacher-free, a control",
    "C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, Rethinking the inception "
    "architecture for computer vision, CVPR 2016, arXiv 1512.00567, section 7");

}  // namespace distal::losses
