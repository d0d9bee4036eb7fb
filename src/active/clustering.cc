#include "active/clustering.h"

#include <limits>
#include <numeric>

#include "active/kernels.h"
#include "base/error.h"

namespace distal {
namespace {

constexpr double kRounding = 1e-4;  // distances are known to about this share of themselves and of a point's length

struct Nearest {
  torch::Tensor centre;            // int64 [M]
  torch::Tensor distance, second;  // [M], to it, or a bound above; and to the next nearest, or a bound below
};

// Of those rows of the points.
Nearest nearest_centres(const torch::Tensor& points, const torch::Tensor& rows, const torch::Tensor& centres) {
  const auto norms = centres.square().sum(1);
  Nearest all{torch::empty({rows.size(0)}, torch::kInt64), torch::empty({rows.size(0)}, points.options()), torch::empty({rows.size(0)}, points.options())};
  by_blocks(rows.size(0), kBlockRows, [&](int64_t m, int64_t m_end) {
    const auto block = points.index_select(0, rows.slice(0, m, m_end));
    auto best = torch::full({m_end - m}, std::numeric_limits<double>::infinity(), points.options()), second = best.clone();
    auto which = torch::zeros({m_end - m}, torch::kInt64);
    by_blocks(centres.size(0), kBlockCentres, [&](int64_t c, int64_t c_end) {
      // Without the point's own norm, which is the same for every centre.
      auto table = block.mm(centres.slice(0, c, c_end).t()).mul_(-2).add_(norms.slice(0, c, c_end));
      const auto [distance, row] = table.min(1);
      const auto next = table.scatter_(1, row.unsqueeze(1), std::numeric_limits<double>::infinity()).amin(1);
      which = (row + c).where(distance < best, which);
      second = torch::minimum(torch::maximum(best, distance), torch::minimum(second, next));
      best = torch::minimum(best, distance);
    });
    const auto own = block.square().sum(1);
    all.centre.slice(0, m, m_end).copy_(which);
    all.distance.slice(0, m, m_end).copy_((best + own).clamp_min(0).sqrt());
    all.second.slice(0, m, m_end).copy_((second + own).clamp_min(0).sqrt());
  });
  return all;
}

// The weighted points of each cluster added up, float64, and kept so while points change sides.
struct Masses {
  torch::Tensor sums, mass;  // [k, D], [k]

  void add(const torch::Tensor& points, const torch::Tensor& weights, const torch::Tensor& rows, const torch::Tensor& of_row, double sign) {
    by_blocks(rows.size(0), kBlockRows, [&](int64_t m, int64_t m_end) {
      const auto block = rows.slice(0, m, m_end), to = of_row.slice(0, m, m_end), w = weights.index_select(0, block) * sign;
      sums.index_add_(0, to, points.index_select(0, block).to(torch::kFloat64) * w.unsqueeze(1));
      mass.index_add_(0, to, w);
    });
  }
  // The first `fixed` centres, and those without points, stay.
  torch::Tensor means(const torch::Tensor& centres, int64_t fixed) const {
    auto moves = mass > 1e-12 * mass.sum();  // less is what rounding leaves where all was taken away again
    moves.slice(0, 0, fixed).fill_(false);
    return (sums / mass.unsqueeze(1)).to(centres.dtype()).where(moves.unsqueeze(1), centres);
  }
};

torch::Tensor seeds(const torch::Tensor& points, const torch::Tensor& weights, int64_t count, const torch::Tensor& fixed, Random& random) {
  NearestCentre nearest({points});
  nearest.add({fixed});
  std::vector<int64_t> rows;
  while (std::ssize(rows) < count) {
    rows.push_back(nearest.draw(random, weights));
    nearest.add_row(rows.back());
  }
  return points.index_select(0, torch::tensor(rows, torch::kInt64));
}

class Chains {  // of nearest neighbours, over the clusters that are left
 public:
  struct Merge {
    int64_t a, b;  // a point of each
    double distance;
  };

  explicit Chains(const torch::Tensor& points) : means_(points.to(torch::kFloat64).clone()), sizes_(points.size(0), 1), point_(points.size(0)) {
    std::iota(point_.begin(), point_.end(), 0);
  }

  std::vector<Merge> merges() {
    std::vector<Merge> all;
    while (left() > 1) {
      if (chain_.empty()) chain_.push_back(0);
      const auto [near, distance] = nearest(chain_.back());
      if (chain_.size() > 1 && near == chain_[chain_.size() - 2]) {
        all.push_back({point_[chain_.back()], point_[near], distance});
        const int64_t last = chain_.back();
        chain_.resize(chain_.size() - 2);
        merge(near, last);
      } else {
        chain_.push_back(near);
      }
    }
    return all;
  }

 private:
  int64_t left() const { return std::ssize(point_); }

  std::pair<int64_t, double> nearest(int64_t cluster) const {
    auto similarity = means_.narrow(0, 0, left()).mv(means_[cluster]);
    similarity[cluster] = -std::numeric_limits<double>::infinity();
    const double largest = similarity.max().item<double>();
    const int64_t before = chain_.size() > 1 ? chain_[chain_.size() - 2] : -1;
    // Of equally near ones, to rounding, the one before in the chain: it ends there, and links only get shorter.
    if (before >= 0 && similarity[before].item<double>() >= largest - 1e-12) return {before, 1 - largest};
    return {similarity.argmax().item<int64_t>(), 1 - largest};
  }

  // The second joins the first; the last cluster takes its place.
  void merge(int64_t into, int64_t from) {
    const auto a = static_cast<double>(sizes_[into]), b = static_cast<double>(sizes_[from]);
    means_[into].mul_(a / (a + b)).add_(means_[from], b / (a + b));
    sizes_[into] += sizes_[from];
    const int64_t last = left() - 1;
    means_[from].copy_(means_[last].clone());
    sizes_[from] = sizes_[last];
    point_[from] = point_[last];
    std::replace(chain_.begin(), chain_.end(), last, from);
    sizes_.pop_back();
    point_.pop_back();
  }

  torch::Tensor means_;                 // [n, D]; the first left() rows count
  std::vector<int64_t> sizes_, point_;  // a point of each cluster
  std::vector<int64_t> chain_;
};

int64_t root_of(std::vector<int64_t>& parents, int64_t point) {
  while (parents[point] != point) point = parents[point] = parents[parents[point]];
  return point;
}

}  // namespace

// Points whose nearest centre cannot have changed are not looked at again: a centre that moved by `way` came nearer by at most that
// (G. Hamerly, Making k-means even faster, SDM 2010).
Clusters k_means(const torch::Tensor& all, const torch::Tensor& weights, int64_t count, const torch::Tensor& around, int64_t iterations, Random& random) {
  expect(all.size(0) > 0 && weights.size(0) == all.size(0), "k_means gets points, each with a weight");
  const auto mean = all.mean(0, /*keepdim=*/true);  // distances do not change, cancellation shrinks
  const auto points = all - mean, fixed = around - mean;
  auto centres = torch::cat({fixed, seeds(points, weights, std::min(count, points.size(0)), fixed, random)});
  const auto rows = torch::arange(points.size(0));
  const auto length = points.norm() / std::sqrt(static_cast<double>(points.size(0)));  // of a point, in the quadratic mean
  Nearest nearest = nearest_centres(points, rows, centres);
  Masses masses{torch::zeros_like(centres, torch::kFloat64), torch::zeros({centres.size(0)}, torch::kFloat64)};
  masses.add(points, weights, rows, nearest.centre, 1);
  for (int64_t step = 0; step < iterations; ++step) {
    const auto moved = masses.means(centres, fixed.size(0));
    const auto way = (moved - centres).norm(2, 1);
    centres = moved;
    nearest.distance.add_(way.index_select(0, nearest.centre));
    nearest.second.sub_(way.max());
    const auto unsure = (nearest.distance * (1 + kRounding) + kRounding * length >= nearest.second).nonzero().flatten();
    const Nearest again = nearest_centres(points, unsure, centres);
    const auto before = nearest.centre.index_select(0, unsure), changed = (before != again.centre).nonzero().flatten();
    nearest.centre.index_copy_(0, unsure, again.centre);
    nearest.distance.index_copy_(0, unsure, again.distance);
    nearest.second.index_copy_(0, unsure, again.second);
    if (changed.size(0) == 0) break;
    const auto changed_rows = unsure.index_select(0, changed);
    masses.add(points, weights, changed_rows, before.index_select(0, changed), -1);
    masses.add(points, weights, changed_rows, again.centre.index_select(0, changed), 1);
  }
  return {centres + mean, nearest.centre};
}

torch::Tensor one_per_cluster(const torch::Tensor& points, const torch::Tensor& weights, int64_t count, const torch::Tensor& fixed, int64_t iterations, Random& random) {
  const auto mean = points.mean(0, /*keepdim=*/true), centred = points - mean, norms = centred.square().sum(1);
  const auto clusters = k_means(centred, weights, count, fixed - mean, iterations, random);
  const auto mass = torch::zeros({clusters.centres.size(0)}, weights.options()).index_add(0, clusters.of_row, weights).slice(0, fixed.size(0));
  const auto order = mass.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true) + fixed.size(0);
  auto free = torch::zeros({points.size(0)}, points.options());  // infinite where taken
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < order.size(0); ++i) {
    const auto distance = norms - 2 * centred.mv(clusters.centres[order[i].item<int64_t>()]) + free;
    rows.push_back(distance.argmin().item<int64_t>());
    free[rows.back()] = std::numeric_limits<double>::infinity();
  }
  return torch::tensor(rows, torch::kInt64);
}

std::vector<int64_t> average_linkage(const torch::Tensor& points, int64_t clusters, double epsilon) {
  auto merges = Chains(points).merges();
  std::stable_sort(merges.begin(), merges.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; });
  std::vector<int64_t> parents(points.size(0));
  std::iota(parents.begin(), parents.end(), 0);
  int64_t left = points.size(0);
  for (const auto& [a, b, distance] : merges) {
    if (left <= clusters || distance > epsilon) break;
    const int64_t first = root_of(parents, a), second = root_of(parents, b);
    parents[std::max(first, second)] = std::min(first, second);
    --left;
  }
  std::vector<int64_t> of_row, number(parents.size(), -1);
  int64_t next = 0;
  for (int64_t row = 0; row < std::ssize(parents); ++row) {
    auto& cluster = number[root_of(parents, row)];
    if (cluster < 0) cluster = next++;
    of_row.push_back(cluster);
  }
  return of_row;
}

}  // namespace distal
