// Consistency under augmentation: the student sees each clip A times, each time augmented anew, and
// is asked where its logits move most,
//
//   score = mean over pairs a < b of |z^a - z^b|^2 / K = 2 mean_c var_a(z^a_c)        (the variance
//   over A - 1).
//
// Deviation: the published code cuts out random squares and sums over the pairs with a weight; here
// the student's own augmentation is drawn (without flips where labels change under them), and the
// mean ranks as the sum does. Training is not changed. Cost: A looks at the pool; O(A M K) time on
// the logits.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Consistency final : public Strategy {
 public:
  struct Options {
    int64_t passes = 5;
    void visit(OptionVisitor& v) const {
      v("passes", passes, "augmented passes at each clip", between(2, 100));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Consistency(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    const auto passes = checked_passes(scores, "consistency");
    // Welford's running mean and sum of squares: one pass in memory at a time.
    auto mean = torch::zeros(passes.front().sizes(), torch::kFloat64);
    auto squares = torch::zeros_like(mean);
    double seen = 0;
    for (const auto& pass : passes) {
      const auto step = pass.to(torch::kFloat64) - mean;
      mean.add_(step / ++seen);
      squares.add_(step.square() * ((seen - 1) / seen));
    }
    return 2 * squares.mean(1) / (seen - 1);
  }
  Needs needs() const override {
    return {.logits = false, .passes = "augmented", .pass_count = options_.passes};
  }

 private:
  Options options_;
};

extern const Entry<Strategy> consistency;
const Entry<Strategy> consistency = entry<Strategy, Consistency>(
    "clips whose logits change most under augmentation first",
    "S. Hong, H. Ha, J. Kim, M. Choi, Deep active learning with augmentation-based consistency "
    "estimation, 2020, arXiv 2011.02666");

}  // namespace distal::strategies
