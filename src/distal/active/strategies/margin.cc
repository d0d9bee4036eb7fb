// Score p_(2) - p_(1), the two largest probabilities: 0 where the model cannot decide between two
// classes, -1 where sure.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Margin final : public Strategy {
 public:
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return 0 - scores.task->margin(checked_probabilities(scores, "margin"));
  }
};

extern const Entry<Strategy> margin;
const Entry<Strategy> margin =
    entry<Strategy, Margin>("the smallest gap between the two most probable classes first",
                            "T. Scheffer, C. Decomain, S. Wrobel, Active hidden Markov models for "
                            "information extraction, IDA 2001; score p_(2) - p_(1)");

}  // namespace distal::strategies
