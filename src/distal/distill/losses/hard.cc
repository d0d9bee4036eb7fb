// Pseudo-labels: CE(arg max p_t, z) over the clips where max p_t reaches the threshold. The truth
// is used for the clips whose teacher is absent or not sure enough. A formula of one label a clip.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class Hard final : public DistillLoss {
 public:
  struct Options {
    double threshold = 0;
    void visit(OptionVisitor& v) const {
      v("threshold", threshold, "leave out answers whose largest probability is below this",
        between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Hard(const Options& options) : options_(options) {}

  Losses losses(const Lesson& lesson) const override {
    const auto z = at_least_float32(lesson.student.logits);
    const auto p = lesson.teacher.detach();
    const auto [confidence, label] = p.nan_to_num(0).max(1);
    const auto sure = known_rows(p) & (confidence >= options_.threshold);
    const auto rows = -z.log_softmax(1).gather(1, label.unsqueeze(1)).squeeze(1);
    const auto has_truth = known_rows(lesson.truth) & ~sure;
    return {{"truth", weighted_mean(lesson.task->loss(z, lesson.truth), lesson.weights, has_truth,
                                    has_truth | sure)},
            {"teacher", weighted_mean(rows, lesson.weights, sure, has_truth | sure)}};
  }

 private:
  Options options_;
};

extern const Entry<DistillLoss> hard;
const Entry<DistillLoss> hard = entry<DistillLoss, Hard>(
    "cross entropy with the teacher's most probable class, where it is sure",
    "D.-H. Lee, Pseudo-label: the simple and efficient semi-supervised learning method for deep "
    "neural networks, ICML workshop 2013; threshold: K. Sohn et al., FixMatch, NeurIPS 2020, arXiv "
    "2001.07685, equation 4");

}  // namespace distal::losses
