// Distance to the nearest decision boundary of the linear head, in the space of the embeddings:
// with y the predicted class,
//
//   distance = min over c != y of (z_y - z_c) / |w_y - w_c|,        the smallest is asked first
//   (score = -distance).
//
// Exact, since logits are linear in the embedding h: it is how far h must move to change the
// answer. Where w_y = w_c there is no boundary between the two, unless they are equal everywhere.
// The linear case of DeepFool's step; the margin that support vector machines are asked by. Asked
// by video, the mean of its clips. Cost: O(M K).

#include <limits>

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

torch::Tensor checked_head(const PoolScores& scores) {
  const auto& weight = scores.head_weight;
  if (!weight.defined())
    fail("boundary: needs the weights of the student's last linear layer, and there are none; this "
         "network has no such layer");
  if (weight.dim() != 2 || weight.size(0) != scores.logits.size(1))
    fail("boundary: head_weight must be classes x features, of the {} classes of the logits",
         scores.logits.size(1));
  if (!torch::isfinite(weight).all().item<bool>())
    fail("boundary: head_weight is not finite; look for what broke the student's training");
  return weight.to(torch::kFloat64);
}

}  // namespace

class Boundary final : public Strategy {
 public:
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    checked_probabilities(scores, "boundary");
    const auto weight = checked_head(scores);
    const auto between = torch::cdist(
        weight, weight, 2, /*compute_mode=*/2);  // [K, K] from differences: no cancellation
    const auto logits = scores.logits.to(torch::kFloat64);
    const auto [largest, predicted] = logits.max(1, /*keepdim=*/true);
    const auto gap = largest - logits;
    const auto length = between.index_select(0, predicted.squeeze(1));
    const auto none = torch::full_like(gap, std::numeric_limits<double>::infinity());
    auto distance = (gap / length).where(length > 0, none);
    distance = distance.where((length > 0).logical_or(gap > 0), torch::zeros_like(gap))
                   .scatter(1, predicted, none);
    const auto nearest = distance.amin(1);
    return -nearest.where(torch::isfinite(nearest), torch::zeros_like(nearest));
  }
  Needs needs() const override { return {.head = true}; }
};

extern const Entry<Strategy> boundary;
const Entry<Strategy> boundary = entry<Strategy, Boundary>(
    "the embedding nearest to a decision boundary of the last layer first",
    "S. Tong, D. Koller, Support vector machine active learning with applications to text "
    "classification, JMLR 2001; M. Ducoffe, F. Precioso, Adversarial active learning for deep "
    "networks: a margin based approach, 2018, arXiv 1802.09841 (the linear case)");

}  // namespace distal::strategies
