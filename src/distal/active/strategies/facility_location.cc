// Facility location: the clips that stand for the pool best. Greedily maximises
//
//   f(S) = sum over the pool of max_{j in S + L} sim(i, j),       sim = (1 + cos(h_i, h_j)) / 2,
//
// which is monotone and submodular, so that greedy choice reaches (1 - 1/e) of the best; what is
// labelled (L) or was chosen earlier in this round counts as chosen. Asked by video, over the
// videos' mean embeddings. Lazy: only clips whose gain may still be largest are computed again. No
// deviation. Cost: O(M^2 D) at first, O(M D) for each gain computed again; O(M) memory.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

constexpr int64_t kRows = 8192;
constexpr int64_t kColumns = 1024;

torch::Tensor similarity(const torch::Tensor& a, const torch::Tensor& b) {
  return products(a, b).add_(1).mul_(0.5);
}

}  // namespace

class FacilityLocation final : public Strategy {
 public:
  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto embeddings = checked_embeddings(scores, "facility_location");
    const int64_t pool = embeddings.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    const auto rows = shuffled_rows(pool, random);
    const auto points = unit_length(embeddings.index_select(0, rows));
    const auto served =
        torch::zeros({pool}, points.options());  // similarity to the nearest of S and L
    const auto serve = [&](const torch::Tensor& facilities) {
      by_blocks(pool, kRows, [&](int64_t m, int64_t m_end) {
        auto block = served.slice(0, m, m_end);
        block.copy_(block.maximum(similarity(points.slice(0, m, m_end), facilities).amax(1)));
      });
    };
    const auto labelled = unit_length(checked_labelled_embeddings(scores, "facility_location"));
    by_blocks(labelled.size(0), kColumns,
              [&](int64_t l, int64_t l_end) { serve(labelled.slice(0, l, l_end)); });
    const auto gains = [&](const torch::Tensor& candidates) {
      const auto facilities = points.index_select(0, candidates);
      auto gain = torch::zeros({candidates.size(0)}, torch::kFloat64);
      by_blocks(pool, kRows, [&](int64_t m, int64_t m_end) {
        gain.add_(similarity(points.slice(0, m, m_end), facilities)
                      .sub_(served.slice(0, m, m_end).unsqueeze(1))
                      .clamp_min_(0)
                      .sum(0));
      });
      return gain;
    };
    const auto picks =
        lazy_greedy(pool, count, gains, [&](int64_t row) { serve(points.narrow(0, row, 1)); });
    return rows.index_select(0, torch::tensor(picks, torch::kInt64));
  }
  Needs needs() const override {
    return {.logits = false, .embeddings = true, .any_embeddings = true};
  }
};

extern const Entry<Strategy> facility_location;
const Entry<Strategy> facility_location = entry<Strategy, FacilityLocation>(
    "the clips most similar to all others: a summary of the pool",
    "G. Nemhauser, L. Wolsey, M. Fisher, An analysis of approximations for maximizing submodular "
    "set functions, 1978; K. Wei, R. Iyer, J. Bilmes, Submodularity in data subset selection and "
    "active learning, ICML 2015");

}  // namespace distal::strategies
