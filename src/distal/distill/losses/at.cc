// Attention transfer: where a network looks. With A = mean over channels of f^2, flattened and
// divided by its L2 norm,
//
//   beta sum over maps of the mean over positions of (A_s - A_t)^2.
//
// As in HobbitLong/RepDistiller: the mean stands for the paper's sum, beta = 1000; where the sizes
// differ the larger map is averaged to the smaller first, here in T, H and W each. A clip's
// attention is one map over time and space.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/features.h"

namespace distal::losses {

class At final : public DistillLoss {
 public:
  struct Options {
    std::vector<std::string> maps = {"layer1", "layer2", "layer3", "layer4"}, teacher_maps;
    double beta = 1000;
    void visit(OptionVisitor& v) const {
      v("maps", maps, "the student's maps, by their published names");
      v("teacher_maps", teacher_maps,
        "maps of the teacher, in the same order; empty: the same names");
      v("beta", beta, "weight", at_least(0));
      if (maps.empty() || (!teacher_maps.empty() && teacher_maps.size() != maps.size()))
        throw UsageError(
            fmt::format("{}: loss at: {} maps and {} teacher_maps; name as many on either side",
                        v.place(), maps.size(), teacher_maps.size()));
    }
    bool operator==(const Options&) const = default;
  };
  explicit At(const Options& options) : options_(options) {}

  bool needs_teacher_network() const override { return true; }
  bool needs_maps() const override { return true; }

  Losses losses(const Lesson& lesson) const override {
    const auto known = known_rows(lesson.teacher);
    Losses parts;
    for (size_t i = 0; i < options_.maps.size(); ++i) {
      const std::string& name = options_.maps[i];
      const Features maps = of_one_size(features(
          lesson, {name, options_.teacher_maps.empty() ? "" : options_.teacher_maps[i]}, "at"));
      const auto rows = (attention(maps.student) - attention(maps.teacher)).pow(2).mean(1);
      parts.emplace_back(name, options_.beta * weighted_mean(rows, lesson.weights, known, known));
    }
    return parts;
  }

 private:
  static torch::Tensor attention(const torch::Tensor& map) {
    return unit(map.pow(2).mean(1).flatten(1), 1);
  }
  Options options_;
};

extern const Entry<DistillLoss> at;
const Entry<DistillLoss> at =
    entry<DistillLoss, At>("attention maps like the teacher's; needs its network",
                           "S. Zagoruyko, N. Komodakis, Paying more attention to attention: "
                           "improving the performance of convolutional neural networks via "
                           "attention transfer, ICLR 2017, arXiv 1612.03928, section 3.1");

}  // namespace distal::losses
