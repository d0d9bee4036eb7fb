// Robust active distillation: some of the teacher's answers are wrong, and nobody knows which.
// Against an adversary who may spoil m of n clips, with gains g_i = 1 - (p_(1) - p_(2)) of the
// student sorted descending,
//
//   H_k = (k - m) / sum_{i <= k} 1 / g_i,   k* = argmax_k H_k,   p_i = (1 / g_i) / sum_{j <= k*} 1
//   / g_j   for i <= k*, else 0,
//
// the mixed strategy of the largest worst-case gain; B clips are drawn by p without replacement. m
// = max(1, ceil(error n)), where error is the share of the teacher's answers that were wrong on
// labelled clips: with m = 0, k* would always be 1. Where nothing is labelled yet, m = 1.
// Deviation: k* is at least B, so that there are B clips to draw. Cost: O(M log M + B M).

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Rad final : public Strategy {
 public:
  struct Options {
    std::optional<double> error;
    void visit(OptionVisitor& v) const {
      v("error", error,
        "share of the teacher's answers that are wrong; absent: measured on labelled clips",
        between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Rad(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto top = std::get<0>(checked_probabilities(scores, "rad").topk(2, 1));
    const int64_t pool = top.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    count = std::min(count, pool);
    const auto shuffled = shuffled_rows(pool, random);  // equal gains
    const auto gain =
        (1 - top.select(1, 0) + top.select(1, 1)).clamp_min(1e-12).index_select(0, shuffled);
    const auto order = gain.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
    const auto inverse = gain.index_select(0, order).reciprocal();
    const int64_t support = std::max(count, best_support(inverse, spoilt(scores, pool)));
    auto weight = inverse.slice(0, 0, support).clone();
    std::vector<int64_t> picks;
    for (; std::ssize(picks) < count; weight[picks.back()] = 0)
      picks.push_back(draw_row(weight, random));
    return shuffled.index_select(0, order.index_select(0, torch::tensor(picks, torch::kInt64)));
  }
  Needs needs() const override { return {.teacher_error = !options_.error}; }

 private:
  double spoilt(const PoolScores& scores, int64_t pool) const {
    const double error = options_.error.value_or(std::max(scores.teacher_error, 0.0));
    return std::max(1.0, std::ceil(error * static_cast<double>(pool) - 1e-9));
  }
  static int64_t best_support(const torch::Tensor& inverse, double spoilt) {
    const auto k = torch::arange(1, inverse.size(0) + 1, torch::kFloat64);
    return ((k - spoilt) / inverse.cumsum(0)).argmax().item<int64_t>() + 1;
  }
  Options options_;
};

extern const Entry<Strategy> rad;
const Entry<Strategy> rad = entry<Strategy, Rad>(
    "hard clips, but spread so that a teacher's mistakes spoil the least: for teachers that err",
    "C. Baykal, K. Trinh, F. Iliopoulos, G. Menghani, E. Vee, Robust active distillation, ICLR "
    "2023, arXiv 2210.01213");

}  // namespace distal::strategies
