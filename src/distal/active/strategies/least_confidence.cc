// Score 1 - max_c p_c: how likely the model thinks its own answer is wrong.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal::strategies {

class LeastConfidence final : public Strategy {
 public:
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return 1 - scores.task->confidence(checked_probabilities(scores, "least_confidence"));
  }
};

extern const Entry<Strategy> least_confidence;
const Entry<Strategy> least_confidence =
    entry<Strategy, LeastConfidence>("the smallest probability of the predicted class first",
                                     "D. Lewis, W. Gale, A sequential algorithm for training text "
                                     "classifiers, SIGIR 1994; score 1 - max p");

}  // namespace distal::strategies
