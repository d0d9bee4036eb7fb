// Bayesian active learning by disagreement: how much an answer would tell about the weights, from T
// passes with dropout on,
//
//   score = H(mean_t p^t) - mean_t H(p^t)        in nats, p^t = softmax(z^t).
//
// Deviation: the paper's networks drop out in several layers, ours before the classifier alone, so
// that T passes cost T classifiers and not T networks. Cost: O(T M K) time, O(M K) memory.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Bald final : public Strategy {
 public:
  struct Options {
    int64_t passes = 10;
    void visit(OptionVisitor& v) const {
      v("passes", passes, "passes with dropout; 10 is usual, 50 steadier", between(2, 1000));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Bald(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return mutual_information(*scores.task, checked_passes(scores, "bald"));
  }
  Needs needs() const override {
    return {.logits = false, .passes = "dropout", .pass_count = options_.passes};
  }

 private:
  Options options_;
};

extern const Entry<Strategy> bald;
const Entry<Strategy> bald = entry<Strategy, Bald>(
    "the largest mutual information of answer and weights, by passes with dropout",
    "Y. Gal, R. Islam, Z. Ghahramani, Deep Bayesian active learning with image data, ICML 2017, "
    "arXiv 1703.02910; N. Houlsby et al., Bayesian active learning for classification and "
    "preference learning, 2011, arXiv 1112.5745, equation 2");

}  // namespace distal::strategies
