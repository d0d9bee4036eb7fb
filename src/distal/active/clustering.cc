#include "distal/active/clustering.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include <ATen/Parallel.h>

#include "distal/active/kernels.h"
#include "distal/base/clones.h"
#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr double kRounding =
    1e-4;  // distances are known to about this share of themselves and of a point's length

struct Nearest {
  torch::Tensor centre;    // int64 [M]
  torch::Tensor distance;  // [M], to it, or a bound above
  torch::Tensor others;    // [M, groups], to the nearest of the other centres c with c % groups the
                           // same, or a bound below
};

// Eight numbers at a time, or four.
template <class Number, class Index>
struct Abreast {
  typedef Number Numbers __attribute__((vector_size(32)));
  typedef Index Indices __attribute__((vector_size(32)));
  static constexpr int64_t width = 32 / static_cast<int64_t>(sizeof(Number));
};

// The smallest norm - 2 dot of a row, which of `n` it is (the first of equal ones), and the
// smallest of the others in each lane.
template <class Number, class Index>
[[gnu::always_inline]] inline void smallest_of(const Number* dots, const Number* norms, int64_t n,
                                               Number* smallest, Number* others, int64_t* which) {
  using Row = Abreast<Number, Index>;
  constexpr Number kInfinity = std::numeric_limits<Number>::infinity();
  typename Row::Numbers least = kInfinity - typename Row::Numbers{};
  typename Row::Numbers after = least;
  typename Row::Numbers a{};
  typename Row::Numbers b{};
  typename Row::Indices place{};
  typename Row::Indices now{};
  for (int64_t lane = 0; lane < Row::width; ++lane) now[lane] = static_cast<Index>(lane);
  for (int64_t i = 0; i < n; i += Row::width, now += static_cast<Index>(Row::width)) {
    if (i + Row::width <= n) {
      std::memcpy(&a, dots + i, 32);
      std::memcpy(&b, norms + i, 32);
    } else {
      for (int64_t lane = 0; lane < Row::width; ++lane) {
        a[lane] = i + lane < n ? dots[i + lane] : 0;
        b[lane] = i + lane < n ? norms[i + lane] : kInfinity;
      }
    }
    const auto value = b - 2 * a;
    const auto smaller = value < least;
    const auto larger = smaller ? least : value;
    after = larger < after ? larger : after;
    least = smaller ? value : least;
    place = smaller ? now : place;
  }
  int64_t best = 0;
  for (int64_t lane = 1; lane < Row::width; ++lane) {
    if (least[lane] < least[best] || (least[lane] == least[best] && place[lane] < place[best]))
      best = lane;
  }
  *smallest = least[best];
  *which = place[best];
  least[best] = after[best];
  std::memcpy(others, &least, 32);
}
DISTAL_CLONES void smallest_of(const float* dots, const float* norms, int64_t n, float* smallest,
                               float* others, int64_t* which) {
  smallest_of<float, int32_t>(dots, norms, n, smallest, others, which);
}
DISTAL_CLONES void smallest_of(const double* dots, const double* norms, int64_t n, double* smallest,
                               double* others, int64_t* which) {
  smallest_of<double, int64_t>(dots, norms, n, smallest, others, which);
}

// Of those rows of the points, ascending, whose squared lengths are `lengths`.
template <class Number>
Nearest nearest_of(const torch::Tensor& points, const torch::Tensor& lengths,
                   const torch::Tensor& rows, const torch::Tensor& centres) {
  const auto norms = centres.square().sum(1);
  const int64_t count = centres.size(0);
  const int64_t block =
      std::clamp<int64_t>((int64_t{1} << 20) / count, 64, 4096);  // a table of 4 MiB of float32
  constexpr int64_t kGroups = Abreast<Number, int64_t>::width;
  Nearest all{torch::empty({rows.size(0)}, torch::kInt64),
              torch::empty({rows.size(0)}, points.options()),
              torch::empty({rows.size(0), kGroups}, points.options())};
  const auto* row = rows.const_data_ptr<int64_t>();
  const auto* norm = norms.const_data_ptr<Number>();
  const auto* length = lengths.const_data_ptr<Number>();
  auto* const which = all.centre.mutable_data_ptr<int64_t>();
  auto* const distance = all.distance.mutable_data_ptr<Number>();
  auto* const others = all.others.mutable_data_ptr<Number>();
  by_blocks(rows.size(0), block, [&](int64_t m, int64_t m_end) {
    const bool every = rows.size(0) == points.size(0);
    const auto dots = products(
        every ? points.slice(0, m, m_end) : points.index_select(0, rows.slice(0, m, m_end)),
        centres);
    at::parallel_for(m, m_end, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        smallest_of(dots.const_data_ptr<Number>() + (i - m) * count, norm, count, distance + i,
                    others + i * kGroups, which + i);
        const auto root = [&](Number& value) {
          value = std::sqrt(std::max<Number>(value + length[row[i]], 0));
        };
        root(distance[i]);
        std::for_each_n(others + i * kGroups, kGroups, root);
      }
    });
  });
  return all;
}
Nearest nearest_centres(const torch::Tensor& points, const torch::Tensor& lengths,
                        const torch::Tensor& rows, const torch::Tensor& centres) {
  return points.scalar_type() == torch::kFloat64
             ? nearest_of<double>(points, lengths, rows, centres)
             : nearest_of<float>(points, lengths, rows, centres);
}

// After each centre went its `way`: moves the bounds, and says which points may have another
// nearest centre now (bool [M]).
template <class Number>
torch::Tensor unsure_of(Nearest& nearest, const torch::Tensor& way, double rounding) {
  const int64_t groups = nearest.others.size(1);
  std::vector<Number> farthest(groups, 0);  // way of a group
  const auto* const ways = way.const_data_ptr<Number>();
  for (int64_t c = 0; c < way.size(0); ++c)
    farthest[c % groups] = std::max(farthest[c % groups], ways[c]);
  auto unsure = torch::empty({nearest.centre.size(0)}, torch::kBool);
  auto* const out = unsure.mutable_data_ptr<bool>();
  const auto* const centre = nearest.centre.const_data_ptr<int64_t>();
  auto* const distance = nearest.distance.mutable_data_ptr<Number>();
  auto* const others = nearest.others.mutable_data_ptr<Number>();
  at::parallel_for(0, unsure.size(0), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      distance[i] += ways[centre[i]];
      Number least = std::numeric_limits<Number>::infinity();
      for (int64_t g = 0; g < groups; ++g)
        least = std::min(least, others[i * groups + g] -= farthest[g]);
      out[i] = distance[i] * (1 + kRounding) + rounding >= least;
    }
  });
  return unsure;
}
torch::Tensor unsure_rows(Nearest& nearest, const torch::Tensor& way, double rounding) {
  const auto unsure = way.scalar_type() == torch::kFloat64
                          ? unsure_of<double>(nearest, way, rounding)
                          : unsure_of<float>(nearest, way, rounding);
  return unsure.nonzero().flatten();
}

// The weighted points of each cluster added up, float64, and kept so while points change sides.
struct Masses {
  torch::Tensor sums, mass;  // [k, D], [k]

  // Each thread adds some of the features, so that the order of a sum does not depend on how many
  // there are.
  void add(const torch::Tensor& points, const torch::Tensor& weights, const torch::Tensor& rows,
           const torch::Tensor& of_row, double sign) {
    mass.index_add_(0, of_row, weights.index_select(0, rows) * sign);
    if (points.scalar_type() == torch::kFloat64)
      add_features<double>(points, weights, rows, of_row, sign);
    else
      add_features<float>(points, weights, rows, of_row, sign);
  }
  template <class Number>
  void add_features(const torch::Tensor& points, const torch::Tensor& weights,
                    const torch::Tensor& rows, const torch::Tensor& of_row, double sign) {
    const int64_t features = points.size(1);
    const auto* row = rows.const_data_ptr<int64_t>();
    const auto* to = of_row.const_data_ptr<int64_t>();
    at::parallel_for(0, features, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < rows.size(0); ++i) {
        const Number* x = points.const_data_ptr<Number>() + row[i] * features;
        double* sum = sums.mutable_data_ptr<double>() + to[i] * features;
        const double w = sign * weights.const_data_ptr<double>()[row[i]];
        for (int64_t d = begin; d < end; ++d) sum[d] += w * static_cast<double>(x[d]);
      }
    });
  }
  // The first `fixed` centres, and those without points, stay.
  torch::Tensor means(const torch::Tensor& centres, int64_t fixed) const {
    auto moves =
        mass > 1e-12 * mass.sum();  // less is what rounding leaves where all was taken away again
    moves.slice(0, 0, fixed).fill_(false);
    return (sums / mass.unsqueeze(1)).to(centres.dtype()).where(moves.unsqueeze(1), centres);
  }
};

torch::Tensor seeds(const torch::Tensor& points, const torch::Tensor& weights, int64_t count,
                    const torch::Tensor& fixed, Random& random) {
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

  explicit Chains(const torch::Tensor& points)
      : means_(points.to(torch::kFloat64).clone()),
        sizes_(points.size(0), 1),
        point_(points.size(0)) {
    std::iota(point_.begin(), point_.end(), 0);
  }

  std::vector<Merge> merges() {
    std::vector<Merge> all;
    while (left() > 1) {
      check_interrupted();
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
    // Of equally near ones, to rounding, the one before in the chain: it ends there, and links only
    // get shorter.
    if (before >= 0 && similarity[before].item<double>() >= largest - 1e-12)
      return {before, 1 - largest};
    return {similarity.argmax().item<int64_t>(), 1 - largest};
  }

  // The second joins the first; the last cluster takes its place.
  void merge(int64_t into, int64_t from) {
    const auto a = static_cast<double>(sizes_[into]);
    const auto b = static_cast<double>(sizes_[from]);
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

// Points whose nearest centre cannot have changed are not looked at again: a centre that moved by
// `way` came nearer by at most that. A bound a group of centres, since few of them go far (Y. Ding
// et al., Yinyang k-means, ICML 2015; groups by number here, not by place).
Clusters k_means(const torch::Tensor& all, const torch::Tensor& weights, int64_t count,
                 const torch::Tensor& around, int64_t iterations, Random& random) {
  expect(all.size(0) > 0 && weights.size(0) == all.size(0),
         "k_means gets points, each with a weight");
  const auto mean = all.mean(0, /*keepdim=*/true);  // distances do not change, cancellation shrinks
  auto points = in_large_pages(all);
  at::sub_out(points, all, mean);
  const auto fixed = around - mean;
  auto centres =
      torch::cat({fixed, seeds(points, weights, std::min(count, points.size(0)), fixed, random)});
  const auto rows = torch::arange(points.size(0));
  const auto lengths = points.square().sum(1);                 // squared
  const double length = lengths.mean().sqrt().item<double>();  // of a point, in the quadratic mean
  Nearest nearest = nearest_centres(points, lengths, rows, centres);
  Masses masses{torch::zeros_like(centres, torch::kFloat64),
                torch::zeros({centres.size(0)}, torch::kFloat64)};
  masses.add(points, weights, rows, nearest.centre, 1);
  for (int64_t step = 0; step < iterations; ++step) {
    check_interrupted();
    const auto moved = masses.means(centres, fixed.size(0));
    const auto way = (moved - centres).norm(2, 1);
    centres = moved;
    auto unsure = unsure_rows(nearest, way, kRounding * length);
    if (4 * unsure.size(0) > 3 * points.size(0))
      unsure = rows;  // to gather rows costs as much as their products
    const Nearest again = nearest_centres(points, lengths, unsure, centres);
    const auto before = nearest.centre.index_select(0, unsure);
    const auto changed = (before != again.centre).nonzero().flatten();
    nearest.centre.index_copy_(0, unsure, again.centre);
    nearest.distance.index_copy_(0, unsure, again.distance);
    nearest.others.index_copy_(0, unsure, again.others);
    if (changed.size(0) == 0) break;
    const auto changed_rows = unsure.index_select(0, changed);
    masses.add(points, weights, changed_rows, before.index_select(0, changed), -1);
    masses.add(points, weights, changed_rows, again.centre.index_select(0, changed), 1);
  }
  return {centres + mean, nearest.centre};
}

torch::Tensor one_per_cluster(const torch::Tensor& points, const torch::Tensor& weights,
                              int64_t count, const torch::Tensor& fixed, int64_t iterations,
                              Random& random) {
  const auto mean = points.mean(0, /*keepdim=*/true);
  const auto centred = points - mean;
  const auto norms = centred.square().sum(1);
  const auto clusters = k_means(centred, weights, count, fixed - mean, iterations, random);
  const auto mass = torch::zeros({clusters.centres.size(0)}, weights.options())
                        .index_add(0, clusters.of_row, weights)
                        .slice(0, fixed.size(0));
  const auto order = mass.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true) + fixed.size(0);
  auto free = torch::zeros({points.size(0)}, points.options());  // infinite where taken
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < order.size(0); ++i) {
    check_interrupted();
    const auto distance = norms - 2 * centred.mv(clusters.centres[order[i].item<int64_t>()]) + free;
    rows.push_back(distance.argmin().item<int64_t>());
    free[rows.back()] = std::numeric_limits<double>::infinity();
  }
  return torch::tensor(rows, torch::kInt64);
}

std::vector<int64_t> average_linkage(const torch::Tensor& points, int64_t clusters,
                                     double epsilon) {
  auto merges = Chains(points).merges();
  std::stable_sort(merges.begin(), merges.end(),
                   [](const auto& a, const auto& b) { return a.distance < b.distance; });
  std::vector<int64_t> parents(points.size(0));
  std::iota(parents.begin(), parents.end(), 0);
  int64_t left = points.size(0);
  for (const auto& [a, b, distance] : merges) {
    if (left <= clusters || distance > epsilon) break;
    const int64_t first = root_of(parents, a);
    const int64_t second = root_of(parents, b);
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
