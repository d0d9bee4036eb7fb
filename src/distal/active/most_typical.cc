// The largest typicality has the smallest mean distance to the K nearest rows. For any level u the
// K nearest of a row are on average at least u - sum over all rows of max(0, u - d) / K away, since
// each is at least u - max(0, u - d) away. So one pass over the distances, which looks for no
// neighbours, leaves the few rows that may be better than a good guess; with u the distance of the
// guess's own K-th neighbour the bound is exact for the guess. Those few are measured.
//
// A row's share of the sum is 1 - sqrt(1 - t) in units of u, t = 1 - d^2 / u^2. Taken for it is t/2
// + t^2/8 + t^3/16 + 5 t^4/16, the root's series with all that follows its third term put into the
// fourth: never less, and at most a twenty-fifth more for d > 0.75 u.

#include <cmath>
#include <cstring>

#include <ATen/Parallel.h>

#include "distal/active/kernels.h"
#include "distal/base/clones.h"

namespace distal {
namespace {

constexpr int64_t kFew =
    512;  // rows among which the nearest neighbours of every row are looked for
constexpr int64_t kGuesses = 16;            // rows next to the mean
constexpr int64_t kQueries = 256;           // rows whose distances are computed together
constexpr int64_t kMeasured = 64;           // rows that are measured together
constexpr float kBoundSlack = 1e-4F;        // of what the bound says: share of u
constexpr float kRoundingOfLength = 1e-5F;  // share of a row's squared length over u^2

// Of the rows listed, the one whose K nearest are nearest, measured from differences: nothing
// cancels.
int64_t nearest_company(const torch::Tensor& points, const torch::Tensor& rows, int64_t neighbours,
                        bool squared) {
  double least = std::numeric_limits<double>::infinity();
  int64_t best = -1;
  by_blocks(rows.size(0), kMeasured, [&](int64_t begin, int64_t end) {
    const auto some = rows.slice(0, begin, end);
    auto distance = at::cdist(points.index_select(0, some), points, 2, /*compute_mode=*/2);
    distance.scatter_(1, some.unsqueeze(1), std::numeric_limits<float>::infinity());
    auto nearest = std::get<0>(distance.topk(neighbours, 1, /*largest=*/false)).to(torch::kFloat64);
    if (squared) nearest.square_();
    const auto mean = nearest.mean(1).contiguous();
    for (int64_t i = 0; i < end - begin; ++i) {
      if (mean.const_data_ptr<double>()[i] < least) {
        least = mean.const_data_ptr<double>()[i];
        best = some[i].item<int64_t>();
      }
    }
  });
  return best;
}

struct Guess {
  int64_t row;
  double mean, farthest;  // of the distances to its K nearest, or of their squares; rounded
};

// The one of the rows next to the mean whose K nearest are nearest. `norms`: squared lengths.
Guess guess_of(const torch::Tensor& centred, const torch::Tensor& norms, int64_t neighbours,
               bool squared) {
  const auto rows = std::get<1>(norms.topk(kGuesses, 0, /*largest=*/false));
  auto distance = products(centred.index_select(0, rows), centred)
                      .mul_(-2)
                      .add_(norms)
                      .add_(norms.index_select(0, rows).unsqueeze(1))
                      .clamp_min_(0);
  distance.scatter_(1, rows.unsqueeze(1), std::numeric_limits<float>::infinity());
  auto nearest = std::get<0>(distance.topk(neighbours, 1, /*largest=*/false)).to(torch::kFloat64);
  if (!squared) nearest.sqrt_();
  const auto mean = nearest.mean(1);
  const auto best = mean.argmin().item<int64_t>();
  return {rows[best].item<int64_t>(), mean[best].item<double>(),
          nearest[best].max().item<double>()};
}

typedef float Eight __attribute__((vector_size(32)));

// Adds to each of `n` columns, a multiple of 8, and returns the sum of, what lies below the level:
// t = base + (2 dot - norm) scale.
template <bool squared>
[[gnu::always_inline]] inline float add_below(const float* dots, const float* norms, float base,
                                              float scale, int64_t n, float* columns) {
  Eight sums{};
  for (int64_t i = 0; i < n; i += 8) {
    Eight dot, norm, column;
    std::memcpy(&dot, dots + i, 32);
    std::memcpy(&norm, norms + i, 32);
    std::memcpy(&column, columns + i, 32);
    Eight below = base + (2 * dot - norm) * scale;  // t
    below = below > 0 ? below : Eight{};
    if (!squared) below = below * (below * (below * (below * 0.3125F + 0.0625F) + 0.125F) + 0.5F);
    sums += below;
    column += below;
    std::memcpy(columns + i, &column, 32);
  }
  float sum = 0;
  for (int64_t lane = 0; lane < 8; ++lane) sum += sums[lane];
  return sum;
}
DISTAL_CLONES float add_below_distances(const float* dots, const float* norms, float base,
                                        float scale, int64_t n, float* columns) {
  return add_below<false>(dots, norms, base, scale, n, columns);
}
DISTAL_CLONES float add_below_squares(const float* dots, const float* norms, float base,
                                      float scale, int64_t n, float* columns) {
  return add_below<true>(dots, norms, base, scale, n, columns);
}

// For each of the first n rows the sum over the others of what they are nearer than u, in units of
// u (or its square). Each pair once, for both its rows; the last bits depend on the number of
// threads. Rows from n on are infinitely long.
std::vector<double> nearness(const torch::Tensor& rows, const torch::Tensor& norms, int64_t n,
                             float level_squared, bool squared) {
  const int64_t all = rows.size(0);
  const auto add = squared ? add_below_squares : add_below_distances;
  const float scale = 1 / level_squared;
  const float* norm = norms.const_data_ptr<float>();
  std::vector<std::vector<float>> columns(at::get_num_threads(), std::vector<float>(all, 0));
  std::vector<double> sums(n, 0);
  for (int64_t q = 0; q < n; q += kQueries) {
    by_blocks(all - q, kBlockRows, [&](int64_t after, int64_t after_end) {
      // columns of this block: pairs that come from either side
      const int64_t m = q + after;
      const int64_t m_end = q + after_end;
      const int64_t own = m == q ? kQueries : 0;
      auto dots = products(rows.slice(0, q, q + kQueries), rows.slice(0, m, m_end));
      if (own > 0)
        dots.diagonal().fill_(-std::numeric_limits<float>::infinity());  // the rows themselves
      at::parallel_for(q, std::min(q + kQueries, n), 16, [&](int64_t begin, int64_t end) {
        std::vector<float> twice(own);
        float* const later = columns[at::get_thread_num()].data() + m + own;
        for (int64_t i = begin; i < end; ++i) {
          const float* row = dots.const_data_ptr<float>() + (i - q) * (m_end - m);
          const float base = 1 - norm[i] * scale;
          sums[i] += add(row, norm + m, base, scale, own, twice.data());
          sums[i] += add(row + own, norm + m + own, base, scale, m_end - m - own, later);
        }
      });
    });
  }
  for (const auto& of_thread : columns) {
    for (int64_t i = 0; i < n; ++i) sums[i] += of_thread[i];
  }
  return sums;
}

}  // namespace

int64_t most_typical(const torch::Tensor& points, int64_t neighbours, bool as_published) {
  const int64_t n = points.size(0);
  const auto directly = [&] {
    return typicality(points, neighbours, as_published).argmax().item<int64_t>();
  };
  if (n <= kFew || neighbours < 1 || neighbours >= n || points.scalar_type() != torch::kFloat32)
    return directly();
  // Rows of zeros, infinitely long, fill up the last block: oneDNN prepares a kernel for each
  // shape, so there are few.
  const int64_t all = (n + kQueries - 1) / kQueries * kQueries;
  const auto rows = torch::zeros({all, points.size(1)}, points.options());
  const auto lengths = torch::full({all}, std::numeric_limits<float>::infinity(), points.options());
  auto centred = rows.slice(0, 0, n);
  auto norms = lengths.slice(0, 0, n);
  at::sub_out(centred, points, points.mean(0, /*keepdim=*/true));
  norms.copy_(centred.norm(2, 1).square_());
  const Guess guess = guess_of(centred, norms, neighbours, as_published);
  const double level = 1.001 * guess.farthest;  // a little more, so that equals stay out
  const auto level_squared = static_cast<float>(as_published ? level : level * level);
  if (!std::isnormal(level_squared)) return directly();
  const auto sums = nearness(rows, lengths, n, level_squared, as_published);
  std::vector<int64_t> candidates;
  for (int64_t i = 0; i < n; ++i) {
    const double least = 1 - sums[i] / static_cast<double>(neighbours);
    const double slack =
        kBoundSlack + kRoundingOfLength * norms.const_data_ptr<float>()[i] / level_squared;
    if (i == guess.row || least - slack <= guess.mean / level) candidates.push_back(i);
  }
  if (candidates.size() == 1) return guess.row;
  if (std::ssize(candidates) > n / 8) return directly();
  return nearest_company(points, torch::tensor(candidates, torch::kInt64), neighbours,
                         as_published);
}

}  // namespace distal
