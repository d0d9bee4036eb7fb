// Query by committee: M students of different seeds on the same labels,
//
//   votes       -sum_c (v_c / M) log(v_c / M), v_c how many members predict class c       (vote
//   entropy) consensus   mean_m KL(p^m || mean_m p^m), which is the mutual information that
//   `ensemble` scores by.
//
// Deviation: the members differ in initial weights and order of samples, not in a draw from the
// version space. Cost: as `ensemble`. Vote entropy has few values: M members make ties, which come
// in random order.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Committee final : public Strategy {
 public:
  struct Options {
    int64_t members = 5;
    std::string by = "votes";
    void visit(OptionVisitor& v) const {
      v("members", members, "students of different seeds, the measured one among them",
        between(2, 100));
      v("by", by, "entropy of the members' votes, or mean divergence from their consensus",
        one_of({"votes", "consensus"}));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Committee(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    const auto members = checked_passes(scores, "committee");
    if (options_.by == "consensus") return mutual_information(*scores.task, members);
    auto votes = torch::zeros(members.front().sizes(), torch::kFloat64);
    for (const auto& logits : members)
      votes.scatter_add_(1, scores.task->predicted(logits).unsqueeze(1),
                         torch::ones({logits.size(0), 1}, torch::kFloat64));
    return scores.task->entropy(votes / static_cast<double>(members.size()));
  }
  Needs needs() const override {
    return {.logits = false, .passes = "members", .pass_count = options_.members};
  }

 private:
  Options options_;
};

extern const Entry<Strategy> committee;
const Entry<Strategy> committee = entry<Strategy, Committee>(
    "clips over which a committee of students votes most evenly",
    "H. Seung, M. Opper, H. Sompolinsky, Query by committee, COLT 1992; I. Dagan, S. Engelson, "
    "Committee-based sampling for training probabilistic classifiers, ICML 1995 (votes); A. "
    "McCallum, K. Nigam, Employing EM and pool-based active learning for text classification, ICML "
    "1998 (consensus)");

}  // namespace distal::strategies
