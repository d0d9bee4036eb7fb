// Score -sum_c p_c log p_c in nats: 0 where sure, log K where every class is as likely.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Entropy final : public Strategy {
 public:
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return scores.task->entropy(checked_probabilities(scores, "entropy"));
  }
};

extern const Entry<Strategy> entropy;
const Entry<Strategy> entropy =
    entry<Strategy, Entropy>("the largest entropy of the predicted probabilities first",
                             "C. Shannon, A mathematical theory of communication, 1948; B. "
                             "Settles, Active learning literature survey, 2009, section 3.1");

}  // namespace distal::strategies
