// Uniform over the pool: the control arm of every experiment. Asked by video it is uniform over
// videos, therefore it chooses a set instead of scoring clips (means of random scores would favour
// videos of few clips).

#include "distal/base/random.h"
#include "distal/active/strategy.h"
#include "distal/base/catalogue.h"

namespace distal::strategies {

class RandomChoice final : public Strategy {
 public:
  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    return torch::tensor(random.choose(scores.size(), std::max<int64_t>(count, 0)), torch::kInt64);
  }
  Needs needs() const override { return {.logits = false}; }
};

extern const Entry<Strategy> random;
const Entry<Strategy> random =
    entry<Strategy, RandomChoice>("uniform over the pool, the control of every claim", "-");

}  // namespace distal::strategies
