// Relational knowledge distillation: distances and angles between clips of a batch as in the
// teacher's embedding,
//
//   distance * mean_ij h(d_s(i, j) - d_t(i, j)) + angle * mean_ijk h(c_s(i, j, k) - c_t(i, j, k)),
//
// d the Euclidean distance over the mean distance, c the cosine of the angle at i between j and k,
// h smooth L1 (beta 1). As in the authors' and HobbitLong/RepDistiller's code: the means run over
// all N^2 pairs and N^3 triples, the zero diagonal and degenerate triples among them; the mean
// distance is over the positive ones, and the gradient flows through the student's. Squared
// distances up to 1e-12 are zero here (there: 1e-6 after the root). Pairs of clips that the teacher
// answered for.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/distill/features.h"

namespace distal::losses {

class Rkd final : public DistillLoss {
 public:
  struct Options {
    double distance = 25;
    double angle = 50;
    void visit(OptionVisitor& v) const {
      v("distance", distance, "weight of the distances", at_least(0));
      v("angle", angle, "weight of the angles; 0 spares N^3 cosines", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Rkd(const Options& options) : options_(options) {}

  bool needs_teacher_network() const override { return true; }

  Losses losses(const Lesson& lesson) const override {
    const Features both = embeddings(lesson);
    const auto w = taught_weights(lesson, both.student);
    const auto s = offsets(both.student);
    const auto t = offsets(both.teacher);
    Losses parts = {{"distance", options_.distance *
                                     mean_over_pairs(huber(distances(s, w), distances(t, w)), w)}};
    if (options_.angle > 0)
      parts.emplace_back("angle",
                         options_.angle * mean_over_triples(huber(cosines(s), cosines(t)), w));
    return parts;
  }

 private:
  static torch::Tensor offsets(const torch::Tensor& x) {
    return x.unsqueeze(0) - x.unsqueeze(1);
  }  // [N, N, D], [i][j] = x_j - x_i
  static torch::Tensor huber(const torch::Tensor& a, const torch::Tensor& b) {
    return torch::smooth_l1_loss(a, b, at::Reduction::None);
  }
  static torch::Tensor cosines(const torch::Tensor& offsets) {  // [N, N, N]
    const auto directions = unit(offsets, 2);
    return directions.bmm(directions.transpose(1, 2));
  }
  static torch::Tensor distances(const torch::Tensor& offsets,
                                 const torch::Tensor& weights) {  // [N, N]
    const auto squares = offsets.pow(2).sum(2);
    const auto apart = squares > 1e-12;
    const auto d = torch::where(apart, squares.clamp_min(1e-12).sqrt(), torch::zeros_like(squares));
    const auto w = weights.unsqueeze(0) * weights.unsqueeze(1) * apart;
    const auto sum = (w * d).sum();
    return d * w.sum() / torch::where(sum > 0, sum, torch::ones_like(sum));
  }
  Options options_;
};

extern const Entry<DistillLoss> rkd;
const Entry<DistillLoss> rkd = entry<DistillLoss, Rkd>(
    "distances and angles between clips like the teacher's; needs its network",
    "W. Park, D. Kim, Y. Lu, M. Cho, Relational knowledge distillation, CVPR 2019, arXiv "
    "1904.05068, sections 3.2.1 and 3.2.2");

}  // namespace distal::losses
