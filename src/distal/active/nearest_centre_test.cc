// The lazy distances against loops that compute every one.

#include <set>

#include <gmock/gmock.h>

#include "distal/active/nearest_centre.h"
#include "distal/base/hash.h"
#include "distal/base/random.h"

namespace distal {
namespace {

torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed,
                     torch::ScalarType dtype = torch::kFloat32) {
  Random random(seed);
  torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values.to(dtype);
}

TEST(NearestCentre, DistancesAreThoseOfCdist) {
  const auto pool = normal({8300, 3}, 1, torch::kFloat64);
  const auto centres = normal({300, 3}, 2, torch::kFloat64);
  NearestCentre nearest({pool});
  nearest.add({centres});
  const auto want = torch::cdist(pool, centres).square().amin(1);
  EXPECT_LT((nearest.squared_distance() - want).abs().max().item<double>(), 1e-12);
  nearest.add_row(8299);
  EXPECT_EQ(nearest.squared_distance()[8299].item<double>(), -1);
  const auto both = torch::minimum(want, (pool - pool[8299]).square().sum(1)).slice(0, 0, 8299);
  EXPECT_LT((nearest.squared_distance().slice(0, 0, 8299) - both).abs().max().item<double>(),
            1e-12);
}

TEST(NearestCentre, FactorsStandForOuterProducts) {
  const auto q = normal({40, 3}, 1, torch::kFloat64);
  const auto h = normal({40, 5}, 2, torch::kFloat64);
  const auto outer = (q.unsqueeze(2) * h.unsqueeze(1)).flatten(1);
  NearestCentre factors({q, h});
  NearestCentre points({outer});
  EXPECT_LT((factors.squared_norm() - points.squared_norm()).abs().max().item<double>(), 1e-12);
  for (const int64_t row : {3, 17}) {
    factors.add_row(row);
    points.add_row(row);
  }
  factors.add({q.slice(0, 30), h.slice(0, 30)});
  points.add({outer.slice(0, 30)});
  EXPECT_LT((factors.squared_distance() - points.squared_distance()).abs().max().item<double>(),
            1e-12);
}

/// Every distance of every pick, and the draw as the header describes it.
struct Naive {
  torch::Tensor points, nearest;
  explicit Naive(const torch::Tensor& all)
      : points(all.to(torch::kFloat64)),
        nearest(
            torch::full({all.size(0)}, std::numeric_limits<double>::infinity(), torch::kFloat64)) {}

  void add_row(int64_t row) {
    nearest = torch::minimum(nearest, (points - points[row]).square().sum(1));
    nearest[row] = -1;
  }
  int64_t farthest() const { return nearest.argmax().item<int64_t>(); }
  int64_t draw(Random& random, const torch::Tensor& weights) const {
    const uint64_t key = random();
    int64_t best = -1;
    double earliest = std::numeric_limits<double>::infinity();
    for (int64_t row = 0; row < points.size(0); ++row) {
      const double distance = nearest[row].item<double>();
      const double rate = weights[row].item<double>() * (std::isinf(distance) ? 1 : distance);
      const double uniform =
          (static_cast<double>(mix64(key + static_cast<uint64_t>(row) * 0x9e3779b97f4a7c15ULL) >>
                               11) +
           0.5) /
          9007199254740992.0;
      const double rings = -std::log(1 - uniform) / rate;
      if (rate > 0 && rings < earliest) {
        earliest = rings;
        best = row;
      }
    }
    random.below(1);  // among equally good ones
    return best;
  }
};

std::vector<torch::Tensor> hard_pools() {
  const auto spread = normal({600, 24}, 3);
  const auto clusters = normal({12, 24}, 4).repeat({50, 1}) * 10 + normal({600, 24}, 5) * 0.1;
  const auto heavy_tails = spread * normal({600, 1}, 6).exp().square();
  return {spread, clusters, heavy_tails, clusters + 100};
}

TEST(NearestCentre, FarthestIsThatOfEveryDistance) {
  for (const auto& pool : hard_pools()) {
    NearestCentre nearest({pool});
    Naive naive(pool);
    Random random(1);
    for (int pick = 0; pick < 120; ++pick) {
      const int64_t row = nearest.farthest(random);
      ASSERT_TRUE(pick == 0 || row == naive.farthest()) << "pick " << pick;
      nearest.add_row(row);
      naive.add_row(row);
    }
  }
}

TEST(NearestCentre, DrawsAreThoseOfEveryDistance) {
  for (const auto& pool : hard_pools()) {
    for (const bool weighted : {false, true}) {
      const auto weights =
          weighted ? normal({600}, 9, torch::kFloat64).abs() : torch::ones({600}, torch::kFloat64);
      NearestCentre nearest({pool});
      Naive naive(pool);
      Random lazy_random(2);
      Random naive_random(2);
      for (int pick = 0; pick < 120; ++pick) {
        const int64_t row = nearest.draw(lazy_random, weighted ? weights : torch::Tensor());
        ASSERT_EQ(row, naive.draw(naive_random, weights)) << "pick " << pick;
        nearest.add_row(row);
        naive.add_row(row);
      }
    }
  }
}

TEST(NearestCentre, DrawsInProportionToTheSquaredDistance) {
  const auto pool = torch::tensor({0.0, 1.0, 2.0, 3.0}).view({4, 1});
  std::vector<int> drawn(4);
  Random random(7);
  for (int i = 0; i < 14000; ++i) {
    NearestCentre nearest({pool});
    nearest.add_row(0);
    ++drawn[nearest.draw(random)];
  }
  EXPECT_EQ(drawn[0], 0);
  for (const int row : {1, 2, 3})
    EXPECT_NEAR(drawn[row], 1000 * row * row,
                5 * std::sqrt(14000 * row * row / 14.0 * (1 - row * row / 14.0)));
}

TEST(NearestCentre, EqualPointsAreDrawnEvenlyAndAllAreDrawn) {
  std::vector<int> first(5);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    NearestCentre nearest({torch::ones({5, 8})}, /*unit=*/true);
    Random random(seed);
    nearest.add_row(2);
    std::set<int64_t> rows;
    ++first[nearest.farthest(random)];
    for (int i = 0; i < 4; ++i) {
      const int64_t row = i % 2 == 0 ? nearest.farthest(random) : nearest.draw(random);
      nearest.add_row(row);
      rows.insert(row);
    }
    EXPECT_THAT(rows, ::testing::ElementsAre(0, 1, 3, 4));
    EXPECT_EQ(nearest.farthest(random), -1);
    EXPECT_EQ(nearest.draw(random), -1);
  }
  for (const int row : {0, 1, 3, 4})
    EXPECT_NEAR(first[row], 125, 5 * 9.7);  // sqrt(500 * 1/4 * 3/4)
}

TEST(NearestCentre, UnitPointsAndBfloat16AreWhatTheyStandFor) {
  const auto pool = normal({300, 37}, 11) * 3 + 1;  // 37: a rest after the vectors of eight
  NearestCentre unit({pool}, /*unit=*/true);
  NearestCentre same({pool / pool.norm(2, 1, true)});
  const auto half = pool.to(torch::kBFloat16);
  NearestCentre coarse({half});
  NearestCentre wide({half.to(torch::kFloat32)});
  for (const int64_t row : {5, 250}) {
    unit.add_row(row);
    same.add_row(row);
    coarse.add_row(row);
    wide.add_row(row);
  }
  unit.add({pool.slice(0, 40, 60)});
  same.add({(pool / pool.norm(2, 1, true)).slice(0, 40, 60)});
  EXPECT_LT((unit.squared_distance() - same.squared_distance()).abs().max().item<double>(), 1e-5);
  EXPECT_EQ(unit.squared_distance().slice(0, 40, 60).abs().max().item<double>(),
            0);  // a copy of a point is at its place
  EXPECT_TRUE(coarse.squared_distance().equal(wide.squared_distance()));
}

}  // namespace
}  // namespace distal
