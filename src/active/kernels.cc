#include "active/kernels.h"

#include <limits>

#include "base/error.h"

namespace distal {
namespace {

constexpr int64_t kBlockRows = 8192, kBlockCentres = 256;  // 8 MiB of float32 a block: stays in the cache of a core

void refuse_not_finite(const torch::Tensor& values, const char* strategy, const char* what) {
  if (values.numel() == 0) return;
  // A sum is finite only if every term is (or it overflows, which the slow way settles): one pass without a mask.
  if (std::isfinite(values.sum(torch::kFloat64).item<double>())) return;
  const auto bad = torch::isfinite(values).all(1).logical_not().nonzero();
  if (bad.numel() == 0) return;
  fail("{}: row {} of the {} is not finite; leave the clip out of the pool or look for what broke its scores", strategy, bad[0].item<int64_t>(), what);
}

torch::Tensor norms_of(const NearestCentre::Factors& factors) {
  torch::Tensor norms = factors.front().square().sum(1);
  for (size_t f = 1; f < factors.size(); ++f) norms = norms * factors[f].square().sum(1);
  return norms;
}

}  // namespace

torch::Tensor checked_probabilities(const PoolScores& scores, const char* strategy) {
  if (!scores.logits.defined()) fail("{}: needs the logits of the pool, and there are none", strategy);
  if (scores.logits.dim() != 2 || scores.logits.size(1) < 2) fail("{}: logits must be clips x classes with at least 2 classes", strategy);
  const auto p = scores.logits.to(torch::kFloat64).softmax(1);
  refuse_not_finite(p, strategy, "logits");
  return p;
}

torch::Tensor checked_embeddings(const PoolScores& scores, const char* strategy) {
  if (!scores.embeddings.defined()) fail("{}: needs the embeddings of the pool, and there are none", strategy);
  if (scores.embeddings.dim() != 2) fail("{}: embeddings must be clips x features", strategy);
  refuse_not_finite(scores.embeddings, strategy, "embeddings");
  return scores.embeddings;
}

torch::Tensor checked_labelled_embeddings(const PoolScores& scores, const char* strategy) {
  const auto& labelled = scores.labelled_embeddings;
  const int64_t features = scores.embeddings.size(1);
  if (!labelled.defined() || labelled.numel() == 0) return scores.embeddings.new_empty({0, features});
  if (labelled.dim() != 2 || labelled.size(1) != features)
    fail("{}: labelled embeddings have {} features, those of the pool {}; score both with one model", strategy, labelled.size(-1), features);
  refuse_not_finite(labelled, strategy, "labelled embeddings");
  return labelled.to(scores.embeddings.dtype());
}

int64_t largest_row(const torch::Tensor& values, Random& random) {
  const auto largest = (values == values.max()).nonzero();
  expect(largest.size(0) > 0, "largest_row needs a value that is not NaN");
  return largest[random.below(largest.size(0))].item<int64_t>();
}

int64_t draw_row(const torch::Tensor& weights, Random& random) {
  const auto w = weights.to(torch::kFloat64).contiguous();
  const std::span<const double> values(w.const_data_ptr<double>(), static_cast<size_t>(w.numel()));
  double sum = 0;
  for (const double value : values) sum += std::max(value, 0.0);
  if (sum <= 0) return -1;
  const double target = random.uniform() * sum;
  double below = 0;
  int64_t last = -1;
  for (size_t row = 0; row < values.size(); ++row) {
    if (values[row] <= 0) continue;
    below += values[row];
    last = static_cast<int64_t>(row);
    if (below > target) break;
  }
  return last;
}

NearestCentre::NearestCentre(Factors points) : points_(std::move(points)), squared_norm_(norms_of(points_)) {
  nearest_ = torch::full_like(squared_norm_, std::numeric_limits<double>::infinity());
}

void NearestCentre::add_row(int64_t row) {
  torch::Tensor product = points_.front().mv(points_.front()[row]);
  for (size_t f = 1; f < points_.size(); ++f) product.mul_(points_[f].mv(points_[f][row]));
  const auto distance = product.mul_(-2).add_(squared_norm_).add_(squared_norm_[row]).clamp_min_(0);
  at::minimum_out(nearest_, nearest_, distance);
  nearest_[row] = -1;
}

void NearestCentre::add(const Factors& centres) {
  const auto norms = norms_of(centres);
  for (int64_t c = 0; c < norms.size(0); c += kBlockCentres) {
    const int64_t c_end = std::min(c + kBlockCentres, norms.size(0));
    for (int64_t m = 0; m < nearest_.size(0); m += kBlockRows) {
      const int64_t m_end = std::min(m + kBlockRows, nearest_.size(0));
      torch::Tensor product = points_.front().slice(0, m, m_end).mm(centres.front().slice(0, c, c_end).t());
      for (size_t f = 1; f < points_.size(); ++f) product.mul_(points_[f].slice(0, m, m_end).mm(centres[f].slice(0, c, c_end).t()));
      const auto distance = product.mul_(-2).add_(norms.slice(0, c, c_end)).amin(1).add_(squared_norm_.slice(0, m, m_end)).clamp_min_(0);
      auto nearest = nearest_.slice(0, m, m_end);
      at::minimum_out(nearest, nearest, distance);
    }
  }
}

}  // namespace distal
