#include "distal/active/clustering.h"

#include <limits>
#include <numeric>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/active/kernels.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed) {
  Random random(seed);
  torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values;
}

torch::Tensor line(std::vector<double> places) {
  return torch::tensor(places, torch::kFloat64).unsqueeze(1);
}
std::vector<int64_t> rows_of(const torch::Tensor& rows) {
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}
torch::Tensor nothing(int64_t features) { return torch::empty({0, features}, torch::kFloat64); }

/// Numbered in the order of their first members, so that partitions can be compared.
std::vector<int64_t> numbered(const std::vector<int64_t>& clusters) {
  std::map<int64_t, int64_t> number;
  std::vector<int64_t> all;
  for (const int64_t cluster : clusters)
    all.push_back(number.emplace(cluster, std::ssize(number)).first->second);
  return all;
}

/// The definition: merge the pair of clusters whose members are nearest on average.
std::vector<int64_t> naive_linkage(const torch::Tensor& points, int64_t clusters, double epsilon) {
  std::vector<int64_t> of(points.size(0));
  std::iota(of.begin(), of.end(), 0);
  const torch::Tensor table = (1 - points.mm(points.t())).contiguous();
  const double* distance = table.const_data_ptr<double>();
  for (int64_t left = points.size(0); left > clusters; --left) {
    std::map<std::pair<int64_t, int64_t>, std::pair<double, int64_t>> sums;
    for (size_t i = 0; i < of.size(); ++i) {
      for (size_t j = 0; j < of.size(); ++j) {
        if (of[i] < of[j]) {
          sums[{of[i], of[j]}].first += distance[i * of.size() + j];
          ++sums[{of[i], of[j]}].second;
        }
      }
    }
    const auto mean = [](const auto& row) {
      return row.second.first / static_cast<double>(row.second.second);
    };
    const auto best = std::min_element(
        sums.begin(), sums.end(), [&](const auto& a, const auto& b) { return mean(a) < mean(b); });
    if (mean(*best) > epsilon) break;
    const auto [a, b] = best->first;
    std::replace(of.begin(), of.end(), b, a);
  }
  return numbered(of);
}

// Given centres, some of them twice, of numbers that do and do not fill whole vectors.
TEST(KMeans, GivesEachPointToItsNearestCentre) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    for (const int64_t count : {1, 2, 7, 8, 9, 17, 300}) {
      const auto points = normal({500, 6}, 1).to(type);
      const auto some = normal({(count + 1) / 2, 6}, 2).to(type);
      const auto fixed = torch::cat({some, some}).slice(0, 0, count);
      Random random(1);
      const auto of_row =
          k_means(points,
                  torch::zeros({500}, torch::kFloat64).index_fill_(0, torch::tensor({0}), 1), 0,
                  fixed, 3, random)
              .of_row;
      const auto distance = torch::cdist(points.to(torch::kFloat64), fixed.to(torch::kFloat64), 2,
                                         /*compute_mode=*/2);
      EXPECT_TRUE(torch::allclose(distance.gather(1, of_row.unsqueeze(1)).squeeze(1),
                                  distance.amin(1), 1e-6, 0))
          << count << " " << type;
    }
  }
}

TEST(Kernels, AnswerAlikeWithAnyNumberOfThreads) {
  const auto points = normal({40000, 12}, 5).to(torch::kFloat32);
  const auto few = points.slice(0, 0, 1500).contiguous();
  const auto weights = torch::ones({40000}, torch::kFloat64);
  const auto answers = [&](int threads) {
    at::set_num_threads(threads);
    Random random(3);
    std::vector<torch::Tensor> all;
    const auto clusters = k_means(points, weights, 20, points.slice(0, 0, 0), 10, random);
    all.insert(all.end(), {clusters.centres, clusters.of_row, neighbour_distances(few, 5),
                           torch::tensor(most_typical(few, 5, false))});
    NearestCentre nearest({points});
    for (int i = 0; i < 20; ++i)
      nearest.add_row(i % 2 == 0 ? nearest.farthest(random) : nearest.draw(random));
    all.push_back(nearest.squared_distance());
    return all;
  };
  const auto one = answers(1);
  const auto four = answers(4);
  at::set_num_threads(1);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(four[i])) << i;
}

TEST(KMeans, MovesCentresToWeightedMeans) {
  Random random(1);
  const auto weights = torch::tensor({1.0, 3.0, 1.0, 1.0}, torch::kFloat64);
  const auto clusters = k_means(line({0, 4, 20, 22}), weights, 2, nothing(1), 20, random);
  const auto centres = std::get<0>(clusters.centres.squeeze(1).sort());
  EXPECT_NEAR(centres[0].item<double>(), 3, 1e-12);  // (0 + 3 * 4) / 4
  EXPECT_NEAR(centres[1].item<double>(), 21, 1e-12);
  EXPECT_EQ(numbered(rows_of(clusters.of_row)), (std::vector<int64_t>{0, 0, 1, 1}));
}

TEST(KMeans, FixedCentresComeFirstAndStay) {
  Random random(1);
  const auto clusters = k_means(line({0, 1, 2, 20, 22}), torch::ones({5}, torch::kFloat64), 1,
                                line({0.5}), 20, random);
  EXPECT_NEAR(clusters.centres[0].item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(clusters.centres[1].item<double>(), 21, 1e-12);
  EXPECT_THAT(rows_of(clusters.of_row), ElementsAre(0, 0, 0, 1, 1));
}

TEST(KMeans, EachPointBelongsToItsNearestCentreAcrossBlocks) {
  Random random(3);
  const auto points = normal({8300, 2}, 4);
  const auto clusters =
      k_means(points, torch::ones({8300}, torch::kFloat64), 300, nothing(2), 3, random);
  const auto distance = torch::cdist(points, clusters.centres);
  EXPECT_LT((distance.gather(1, clusters.of_row.unsqueeze(1)).squeeze(1) - distance.amin(1))
                .max()
                .item<double>(),
            1e-6);
}

/// Lloyd's steps without any shortcut, from given centres.
Clusters plain_steps(const torch::Tensor& points, const torch::Tensor& weights,
                     torch::Tensor centres, int64_t steps) {
  torch::Tensor of_row = torch::cdist(points, centres).argmin(1);
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t c = 0; c < centres.size(0); ++c) {
      const auto members = (of_row == c).nonzero().flatten();
      const auto w = weights.index_select(0, members).unsqueeze(1);
      if (members.size(0) > 0)
        centres[c].copy_((points.index_select(0, members) * w).sum(0) / w.sum());
    }
    const auto next = torch::cdist(points, centres).argmin(1);
    if (next.equal(of_row)) break;
    of_row = next;
  }
  return {centres, of_row};
}

TEST(KMeans, EqualsStepsThatLookAtEveryDistance) {
  for (const uint64_t seed : {1, 2, 3}) {
    const auto points = normal({2000, 6}, seed) + normal({8, 6}, seed + 10).repeat({250, 1}) * 3;
    const auto weights = normal({2000}, seed + 20).abs();
    for (const int64_t steps : {1, 5, 100}) {
      Random random(seed);
      Random same(seed);
      const auto start = k_means(points, weights, 20, nothing(6), 0, same).centres;
      const auto clusters = k_means(points, weights, 20, nothing(6), steps, random);
      const auto plain = plain_steps(points, weights, start.clone(), steps);
      EXPECT_TRUE(clusters.of_row.equal(plain.of_row))
          << "seed " << seed << ", " << steps << " steps";
      EXPECT_LT((clusters.centres - plain.centres).abs().max().item<double>(), 1e-9);
    }
  }
}

TEST(KMeans, TakesEqualPointsAndWeightsOfNothing) {
  Random random(1);
  EXPECT_EQ(k_means(torch::ones({5, 2}, torch::kFloat64), torch::zeros({5}, torch::kFloat64), 3,
                    nothing(2), 5, random)
                .centres.size(0),
            3);
}

TEST(OnePerCluster, TakesTheNearestToEachCentreHeaviestFirst) {
  Random random(1);
  const auto points = line({0, 1, 2, 30, 31, 32, 33, 34});
  const auto rows =
      one_per_cluster(points, torch::ones({8}, torch::kFloat64), 2, nothing(1), 20, random);
  EXPECT_THAT(rows_of(rows), ElementsAre(5, 1));
  EXPECT_THAT(rows_of(one_per_cluster(points, torch::ones({8}, torch::kFloat64), 1, line({32}), 20,
                                      random)),
              ElementsAre(1));
  EXPECT_THAT(rows_of(one_per_cluster(line({7, 7, 7}), torch::ones({3}, torch::kFloat64), 9,
                                      nothing(1), 20, random)),
              UnorderedElementsAre(0, 1, 2));
}

TEST(AverageLinkage, EqualsItsDefinition) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const uint64_t seed : {1, 2, 3}) {
    const auto points = unit_length(normal({30, 3}, seed));
    for (const int64_t clusters : {1, 2, 5, 12, 29, 30})
      EXPECT_EQ(average_linkage(points, clusters, inf), naive_linkage(points, clusters, inf))
          << clusters;
    for (const double epsilon : {0.01, 0.1, 0.5, 2.0})
      EXPECT_EQ(average_linkage(points, 1, epsilon), naive_linkage(points, 1, epsilon)) << epsilon;
  }
}

TEST(AverageLinkage, EndsOnEqualPoints) {
  const auto points = unit_length(torch::ones({50, 7}, torch::kFloat32));
  EXPECT_EQ(average_linkage(points, 1, 2), std::vector<int64_t>(50, 0));
  EXPECT_EQ(average_linkage(points.slice(0, 0, 1), 1, 2), std::vector<int64_t>(1, 0));
}

TEST(NeighbourDistances, AreThoseOfTheNearestOthersAcrossBlocks) {
  const auto points = normal({8300, 2}, 1);
  const auto nearest = neighbour_distances(points, 3);
  for (const int64_t row : {0, 1023, 1024, 5000, 8191, 8192, 8299}) {
    auto all = (points - points[row]).square().sum(1);
    all[row] = std::numeric_limits<double>::infinity();
    const auto want = std::get<0>(all.topk(3, 0, /*largest=*/false));
    EXPECT_LT((nearest[row] - want).abs().max().item<double>(), 1e-12) << row;
  }
  EXPECT_EQ(neighbour_distances(points.slice(0, 0, 3), 20).size(1), 2);
  EXPECT_EQ(neighbour_distances(points.slice(0, 0, 1), 20).size(1), 0);
}

// A cover of numbers by intervals: row r covers r, r + 1, ..., r + width(r) - 1.
TEST(LazyGreedy, ChoosesWhatAPlainGreedyLoopDoes) {
  constexpr int64_t kRows = 2500;
  Random random(5);
  std::vector<int64_t> width;
  for (int64_t row = 0; row < kRows; ++row) width.push_back(1 + random.below(40));
  std::vector<bool> covered(kRows + 40, false);
  const auto gain = [&](int64_t row) {
    return std::count(covered.begin() + row, covered.begin() + row + width[row], false);
  };
  const auto cover = [&](int64_t row) { std::fill_n(covered.begin() + row, width[row], true); };
  int64_t computed = 0;
  const auto gains = [&](const torch::Tensor& rows) {
    auto values = torch::empty({rows.size(0)}, torch::kFloat64);
    for (int64_t i = 0; i < rows.size(0); ++i, ++computed)
      values[i] = static_cast<double>(gain(rows[i].item<int64_t>()));
    return values;
  };
  const auto lazy = lazy_greedy(kRows, 60, gains, cover);
  EXPECT_LT(computed, kRows + 60 * 200) << "far from every row for every choice";
  std::fill(covered.begin(), covered.end(), false);
  for (const int64_t row : lazy) {
    int64_t best = 0;
    for (int64_t other = 1; other < kRows; ++other) {
      if (gain(other) > gain(best)) best = other;
    }
    EXPECT_EQ(row, best);
    cover(row);
  }
}

}  // namespace
}  // namespace distal
