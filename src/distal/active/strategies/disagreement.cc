// Where the student is wrong about the teacher, for a teacher that is free to ask about the whole
// pool,
//
//   kl   KL(p_T || p_S) = sum_c p_T log(p_T / p_S)
//   js   KL(p_T || m) / 2 + KL(p_S || m) / 2, m = (p_T + p_S) / 2        (at most log 2).
//
// No paper of its own: the error that distillation minimises, as a score. Clips on which the
// teacher itself is wrong score high too: see `rad`. Cost: one look of the teacher at the pool
// (kept for all rounds, arms and seeds); O(M K). Formulas of one label a clip.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

torch::Tensor divergence(const torch::Tensor& p, const torch::Tensor& log_q) {
  return (torch::xlogy(p, p) - p * log_q).sum(1);
}

}  // namespace

class Disagreement final : public Strategy {
 public:
  struct Options {
    std::string by = "kl";
    void visit(OptionVisitor& v) const {
      v("by", by, "Kullback-Leibler divergence of the teacher from the student, or Jensen-Shannon",
        one_of({"kl", "js"}));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Disagreement(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    const auto student = checked_probabilities(scores, "disagreement");
    const auto teacher = checked_teacher(scores, "disagreement");
    if (options_.by == "kl")
      return divergence(teacher, scores.logits.to(torch::kFloat64).log_softmax(1));
    const auto middle = ((student + teacher) / 2).clamp_min(1e-300).log();
    return (divergence(teacher, middle) + divergence(student, middle)) / 2;
  }
  Needs needs() const override { return {.teacher = true}; }

 private:
  Options options_;
};

extern const Entry<Strategy> disagreement;
const Entry<Strategy> disagreement = entry<Strategy, Disagreement>(
    "clips on which the student differs most from a teacher that costs nothing",
    "S. Kullback, R. Leibler, On information and sufficiency, 1951; J. Lin, Divergence measures "
    "based on the Shannon entropy, 1991 (js)");

}  // namespace distal::strategies
