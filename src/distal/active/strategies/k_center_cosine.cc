// k_center of features scaled to length 1: the distance of two clips is then a function of their
// cosine alone, and a feature's length, which grows with contrast and motion, says nothing.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal::strategies {

class KCenterCosine final : public Strategy {
 public:
  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    return farthest_first(scores, count, /*normalize=*/true, random, "k_center_cosine");
  }
  Needs needs() const override {
    return {.logits = false, .embeddings = true, .any_embeddings = true};
  }
  std::string distances() const override {
    return "features are normalised (scaled to length 1), unlike in other toolkits; k_center takes "
           "them as they are";
  }
};

extern const Entry<Strategy> k_center_cosine;
const Entry<Strategy> k_center_cosine = entry<Strategy, KCenterCosine>(
    "k_center of features scaled to length 1",
    "O. Sener, S. Savarese, Active learning for convolutional neural networks: a core-set "
    "approach, ICLR 2018, arXiv 1708.00489, algorithm 1; the scaling is ours");

}  // namespace distal::strategies
