// FitNets: a regressor r (a 1x1x1 convolution) takes the student's map to the teacher's,
//
//   beta mean over channels and positions of (r(f_s) - f_t)^2.
//
// Where the maps differ in T, H or W the larger is averaged to the smaller. beta = 100 as in
// HobbitLong/RepDistiller. Deviations: learned together with the answers, as there, not in a stage
// before; the regressor is linear (there batch norm and ReLU follow, in the paper the non-linearity
// of the teacher's layer).

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/distill/features.h"

namespace distal::losses {

class Hint final : public DistillLoss {
 public:
  struct Options {
    std::string map = "layer2", teacher_map;
    double beta = 100;
    void visit(OptionVisitor& v) const {
      v("map", map, "the student's map, by its published name, or embedding");
      v("teacher_map", teacher_map,
        "map of the teacher, by its published name; empty: the same name");
      v("beta", beta, "weight", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Hint(const Options& options) : options_(options) {}

  bool needs_teacher_network() const override { return true; }
  bool needs_maps() const override { return true; }
  std::shared_ptr<torch::nn::Module> parts(const Lesson& example, int64_t,
                                           Random random) const override {
    const Features maps = features(example, {options_.map, options_.teacher_map}, "hint");
    return fresh_linear(maps.student.size(1), maps.teacher.size(1), random);
  }

  Losses losses(const Lesson& lesson) const override {
    const Features maps =
        of_one_size(features(lesson, {options_.map, options_.teacher_map}, "hint"));
    const auto regressed =
        parts_of<Linear>(lesson).forward(maps.student.movedim(1, -1)).movedim(-1, 1);
    const auto rows = (regressed - maps.teacher).pow(2).flatten(1).mean(1);
    const auto known = known_rows(lesson.teacher);
    return {{"hint", options_.beta * weighted_mean(rows, lesson.weights, known, known)}};
  }

 private:
  Options options_;
};

extern const Entry<DistillLoss> hint;
const Entry<DistillLoss> hint = entry<DistillLoss, Hint>(
    "a middle map regressed onto the teacher's; needs its network",
    "A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio, FitNets: hints for thin "
    "deep nets, ICLR 2015, arXiv 1412.6550, section 2.2");

}  // namespace distal::losses
