// Learning from a teacher that gives probabilities and nothing else: tau^2 CE(p_t^tau, softmax(z /
// tau)), tau = 1 as in Active Mixup. The truth is used only for clips without a teacher's answer.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/loss.h"

namespace distal::losses {

class BlackBox final : public DistillLoss {
 public:
  struct Options {
    double tau = 1;
    void visit(OptionVisitor& v) const {
      v("tau", tau, "temperature that softens both distributions", between(0.05, 100));
    }
    bool operator==(const Options&) const = default;
  };
  explicit BlackBox(const Options& options) : options_(options) {}

  Losses losses(const Lesson& lesson) const override { return answer_losses(lesson, options_.tau); }

 private:
  Options options_;
};

extern const Entry<DistillLoss> black_box;
const Entry<DistillLoss> black_box = entry<DistillLoss, BlackBox>(
    "cross entropy with the teacher's probabilities",
    "D. Wang, Y. Li, L. Wang, B. Gong, Neural networks are more productive teachers than human "
    "raters: active mixup for data-efficient knowledge distillation from a blackbox model, CVPR "
    "2020, arXiv 2003.13960, section 3.3");

}  // namespace distal::losses
