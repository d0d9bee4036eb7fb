// Batch active learning by diverse gradient embeddings: the gradient of the last layer with the
// predicted class y as label,
//
//   g_i = (p_i - e_y) h_i (outer product, K * D numbers, never built),
//
// then k-means++ sampling: the first centre is the largest |g_i| (as the authors' code does; the
// paper draws it), each next is drawn with probability proportional to the squared distance to its
// nearest centre. O(M B (K + D)) at worst; most distances are never computed (nearest_centre.h).
// Clips chosen earlier in this round are centres from the start; labelled clips are not (their
// gradients are small).

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

// p - e_y, float64 [M, K], in the place of p.
torch::Tensor error_of(const Task& task, torch::Tensor p) {
  return p.scatter_add_(1, task.predicted(p).unsqueeze(1),
                        torch::full({p.size(0), 1}, -1.0, p.options()));
}

// The same of the pool in the dtype of its embeddings; in blocks, so that float64 of all of it is
// never held.
torch::Tensor errors_of(const PoolScores& scores, torch::ScalarType type) {
  constexpr int64_t kBlock = 1 << 14;
  if (!scores.logits.defined() || scores.logits.dim() != 2)
    return checked_probabilities(scores, "badge");  // says what is wrong
  const auto errors = torch::empty(scores.logits.sizes(), type);
  by_blocks(errors.size(0), kBlock, [&](int64_t begin, int64_t end) {
    errors.slice(0, begin, end)
        .copy_(error_of(*scores.task, checked_probabilities(scores, "badge", begin, end)));
  });
  return errors;
}

}  // namespace

class Badge final : public Strategy {
 public:
  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto points = stored_embeddings(scores, "badge");
    const auto error = errors_of(
        scores, points.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32);
    if (error.size(0) != points.size(0))
      fail("badge: {} rows of logits but {} of embeddings; score both in one pass", error.size(0),
           points.size(0));
    NearestCentre nearest({error, points});
    const int64_t chosen = add_chosen(nearest, scores);
    std::vector<int64_t> rows;
    while (std::ssize(rows) < std::min(count, points.size(0))) {
      rows.push_back(chosen == 0 && rows.empty() ? largest_row(nearest.squared_norm(), random)
                                                 : nearest.draw(random));
      nearest.add_row(rows.back());
    }
    return torch::tensor(rows, torch::kInt64);
  }
  Needs needs() const override { return {.embeddings = true}; }

 private:
  static int64_t add_chosen(NearestCentre& nearest, const PoolScores& scores) {
    if (!scores.chosen) return 0;
    const auto p = checked_probabilities(*scores.chosen, "badge");
    nearest.add({error_of(*scores.task, p), checked_embeddings(*scores.chosen, "badge")});
    return p.size(0);
  }
};

extern const Entry<Strategy> badge;
const Entry<Strategy> badge = entry<Strategy, Badge>(
    "k-means++ over the gradients of the last layer: uncertain and diverse",
    "J. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal, Deep batch active learning by "
    "diverse, uncertain gradient lower bounds, ICLR 2020, arXiv 1906.03671, algorithm 1");

}  // namespace distal::strategies
