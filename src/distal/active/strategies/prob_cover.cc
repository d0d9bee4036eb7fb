// Probability coverage: of the clips within distance delta of each other, choose greedily the one
// whose ball covers most clips that no ball of a labelled or chosen clip covers yet; embeddings
// have length 1. Once all is covered the rest is random.
//
// delta: the paper takes the largest one whose balls are still pure: for which at least `purity` of
// all balls hold clips of one pseudo-label only, pseudo-labels being k-means with K clusters. A
// ball is pure as long as delta is at most the distance to the nearest clip of another
// pseudo-label, so that delta is a quantile of those distances; 0.75 was right for CIFAR-10 with
// SimCLR. Deviations: edges are not kept but computed again (memory O(M) instead of O(edges)), only
// the pool is to be covered, and where the paper draws among the five best the best is taken. Cost:
// O(M^2 D), twice with purity.

#include <limits>

#include "distal/active/clustering.h"
#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

constexpr int64_t kCoverRows = 8192;
constexpr int64_t kCoverColumns = 1024;

}  // namespace

class ProbCover final : public Strategy {
 public:
  struct Options {
    double delta = 0;
    double purity = 0.95;
    int64_t iterations = 50;
    void visit(OptionVisitor& v) const {
      v("delta", delta, "radius of a ball among embeddings of length 1; 0: by purity",
        between(0, 2));
      v("purity", purity, "share of the balls that hold one pseudo-label only", between(0, 1));
      v("iterations", iterations, "at most this many steps of the k-means of the pseudo-labels",
        between(0, 10000));
    }
    bool operator==(const Options&) const = default;
  };
  explicit ProbCover(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto embeddings = checked_embeddings(scores, "prob_cover");
    const int64_t pool = embeddings.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    const auto rows = shuffled_rows(pool, random);
    const auto points = unit_length(embeddings.index_select(0, rows));
    const double delta =
        options_.delta > 0
            ? options_.delta
            : pure_radius(points, checked_probabilities(scores, "prob_cover").size(1), random);
    const double least = 1 - delta * delta / 2;               // <x, y> above this: |x - y| < delta
    const auto open = torch::ones({pool}, points.options());  // 0 where covered
    const auto cover = [&](const torch::Tensor& centres) {
      by_blocks(pool, kCoverRows, [&](int64_t m, int64_t m_end) {
        open.slice(0, m, m_end)
            .masked_fill_((products(points.slice(0, m, m_end), centres) > least).any(1), 0);
      });
    };
    const auto labelled = unit_length(checked_labelled_embeddings(scores, "prob_cover"));
    by_blocks(labelled.size(0), kCoverColumns,
              [&](int64_t l, int64_t l_end) { cover(labelled.slice(0, l, l_end)); });
    const auto gains = [&](const torch::Tensor& candidates) {
      const auto centres = points.index_select(0, candidates);
      auto covered = torch::zeros({candidates.size(0)}, torch::kFloat64);
      by_blocks(pool, kCoverRows, [&](int64_t m, int64_t m_end) {
        const auto near = products(points.slice(0, m, m_end), centres) > least;
        covered.add_(open.slice(0, m, m_end).unsqueeze(0).mm(near.to(points.dtype())).squeeze(0));
      });
      return covered;
    };
    const auto picks =
        lazy_greedy(pool, count, gains, [&](int64_t row) { cover(points.narrow(0, row, 1)); });
    return rows.index_select(0, torch::tensor(picks, torch::kInt64));
  }
  Needs needs() const override {
    return {.logits = options_.delta == 0, .embeddings = true, .any_embeddings = true};
  }

 private:
  double pure_radius(const torch::Tensor& points, int64_t classes, Random& random) const {
    const int64_t pool = points.size(0);
    const auto label = k_means(points, torch::ones({pool}, torch::kFloat64), classes,
                               points.new_empty({0, points.size(1)}), options_.iterations, random)
                           .of_row;
    auto nearest = torch::full(
        {pool}, -1.0,
        points.options());  // the largest <x, y> with a y of another label; -1: as far as can be
    by_blocks(pool, kCoverRows, [&](int64_t m, int64_t m_end) {
      auto block = nearest.slice(0, m, m_end);
      by_blocks(pool, kCoverColumns, [&](int64_t c, int64_t c_end) {
        const auto same = label.slice(0, m, m_end).unsqueeze(1) == label.slice(0, c, c_end);
        block.copy_(block.maximum(products(points.slice(0, m, m_end), points.slice(0, c, c_end))
                                      .masked_fill_(same, -1)
                                      .amax(1)));
      });
    });
    const auto distance =
        std::get<0>((2 - 2 * nearest.to(torch::kFloat64)).clamp_min(0).sqrt().sort());
    const auto row =
        static_cast<int64_t>(std::floor((1 - options_.purity) * static_cast<double>(pool) + 1e-9));
    return distance[std::min(row, pool - 1)].item<double>();
  }

  Options options_;
};

extern const Entry<Strategy> prob_cover;
const Entry<Strategy> prob_cover = entry<Strategy, ProbCover>(
    "balls of one radius that cover as much of the pool as they can: for few labels",
    "O. Yehuda, A. Dekel, G. Hacohen, D. Weinshall, Active learning through a covering lens, "
    "NeurIPS 2022, arXiv 2205.11320, algorithm 1");

}  // namespace distal::strategies
