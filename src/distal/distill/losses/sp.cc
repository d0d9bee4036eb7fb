// Similarity-preserving: clips that look alike to the teacher shall look alike to the student. With
// G = f f^T over the batch, each row divided by its L2 norm,
//
//   beta / N^2 sum_ij (G_s - G_t)_ij^2.
//
// beta = 3000 as in HobbitLong/RepDistiller. Deviation: f is the embedding by default, which every
// network has; the paper's and theirs is the last map, flattened (`map`). The sum runs over pairs
// of clips that the teacher answered for.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/features.h"

namespace distal::losses {

class Sp final : public DistillLoss {
 public:
  struct Options {
    std::string map = "embedding", teacher_map;
    double beta = 3000;
    void visit(OptionVisitor& v) const {
      v("map", map, "the student's features: embedding, or a map by its published name");
      v("teacher_map", teacher_map, "features of the teacher; empty: the same name");
      v("beta", beta, "weight", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Sp(const Options& options) : options_(options) {}

  bool needs_teacher_network() const override { return true; }
  bool needs_maps() const override {
    return options_.map != "embedding" ||
           (!options_.teacher_map.empty() && options_.teacher_map != "embedding");
  }

  Losses losses(const Lesson& lesson) const override {
    const Features both = features(lesson, {options_.map, options_.teacher_map}, "sp");
    const auto w = taught_weights(lesson, both.student);
    const auto difference =
        similarity(both.student.flatten(1), w) - similarity(both.teacher.flatten(1), w);
    return {{"similarity", options_.beta * mean_over_pairs(difference.pow(2), w)}};
  }

 private:
  // Rows of G / |G|, the norm over weighted clips.
  static torch::Tensor similarity(const torch::Tensor& f, const torch::Tensor& w) {
    const auto root = w.to(f.dtype()).sqrt();
    const auto gram = f.mm(f.t());
    return unit(gram * root, 1) / torch::where(root > 0, root, torch::ones_like(root));
  }
  Options options_;
};

extern const Entry<DistillLoss> sp;
const Entry<DistillLoss> sp =
    entry<DistillLoss, Sp>("pairs of clips as alike as for the teacher; needs its network",
                           "F. Tung, G. Mori, Similarity-preserving knowledge distillation, ICCV "
                           "2019, arXiv 1907.09682, section 3");

}  // namespace distal::losses
