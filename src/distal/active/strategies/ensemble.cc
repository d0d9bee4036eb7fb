// Deep ensemble: M students of different seeds on the same labels, with p^m their probabilities,
// score by one of
//
//   information   H(mean_m p^m) - mean_m H(p^m)      what the members disagree about
//   entropy       H(mean_m p^m)                      all that the ensemble does not know
//   variation     1 - f / M, f the votes of the class most members predict.
//
// No deviation; the student that is measured is the first of the members. Cost: M - 1 trainings and
// as many looks at the pool a round; O(M N K) time on their logits.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Ensemble final : public Strategy {
 public:
  struct Options {
    int64_t members = 5;
    std::string by = "information";
    void visit(OptionVisitor& v) const {
      v("members", members, "students of different seeds, the measured one among them",
        between(2, 100));
      v("by", by, "mutual information, entropy of the mean, or variation ratio",
        one_of({"information", "entropy", "variation"}));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Ensemble(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    const Task& task = *scores.task;
    const auto members = checked_passes(scores, "ensemble");
    if (options_.by == "information") return mutual_information(task, members);
    auto sum = torch::zeros(members.front().sizes(), torch::kFloat64);
    for (const auto& logits : members) {
      if (options_.by == "entropy")
        sum.add_(task.probabilities(logits.to(torch::kFloat64)));
      else
        sum.scatter_add_(1, task.predicted(logits).unsqueeze(1),
                         torch::ones({logits.size(0), 1}, torch::kFloat64));
    }
    sum.div_(static_cast<double>(members.size()));
    return options_.by == "entropy" ? task.entropy(sum) : 1 - task.confidence(sum);
  }
  Needs needs() const override {
    return {.logits = false, .passes = "members", .pass_count = options_.members};
  }

 private:
  Options options_;
};

extern const Entry<Strategy> ensemble;
const Entry<Strategy> ensemble = entry<Strategy, Ensemble>(
    "what students of different seeds disagree about first",
    "W. Beluch, T. Genewein, A. Nuernberger, J. Koehler, The power of ensembles for active "
    "learning in image classification, CVPR 2018; B. Lakshminarayanan et al., Simple and scalable "
    "predictive uncertainty estimation using deep ensembles, NeurIPS 2017, arXiv 1612.01474");

}  // namespace distal::strategies
