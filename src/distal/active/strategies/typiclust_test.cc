#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/active/kernels.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::ElementsAre;

torch::Tensor tensor_of(const nlohmann::json& rows) {
  std::vector<double> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.get<double>());
  }
  return torch::tensor(values, torch::kFloat64).view({static_cast<int64_t>(rows.size()), -1});
}

nlohmann::json parity_table(const std::string& name) {
  std::ifstream file(std::filesystem::path(DISTAL_SOURCE_DIR) /
                     "../shared/reference/parity/losses_and_strategies.json");
  if (!file) return nullptr;
  const auto tables = nlohmann::json::parse(file)["tables"];
  for (const auto& table : tables) {
    if (table["name"] == name) return table;
  }
  return nullptr;
}

std::vector<int64_t> chosen(const PoolScores& scores, int64_t count, const std::string& options,
                            uint64_t seed = 1) {
  const auto rows = make<Strategy>("typiclust", "normalize: false, " + options)
                        ->select(scores, count, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

torch::Tensor line(std::vector<double> places) {
  return torch::tensor(places, torch::kFloat64).unsqueeze(1);
}

TEST(TypiClust, TypicalityMatchesThePublishedCode) {
  const auto table = parity_table("TypiClust typicality");
  if (table.is_null())
    GTEST_SKIP() << "the reference numbers (shared/reference/parity) are not here";
  const auto points = tensor_of(table["features"]);
  const auto& want = table["expected"];
  EXPECT_LT((neighbour_distances(points, 3) - tensor_of(want["squared_distances"]))
                .abs()
                .max()
                .item<double>(),
            1e-10);
  for (const bool as_published : {true, false}) {
    const auto numbers =
        want[as_published ? "typicality_as_published_code" : "typicality_as_in_the_paper"]
            .get<std::vector<double>>();
    const auto got = typicality(points, 3, as_published);
    EXPECT_LT((got - torch::tensor(numbers, torch::kFloat64)).abs().max().item<double>(), 1e-10);
    EXPECT_EQ(got.argmax().item<int64_t>(),
              want[as_published ? "argmax_code" : "argmax_paper"].get<int64_t>());
  }
}

// The mean distance to the K nearest by their differences, in float64.
torch::Tensor company(const torch::Tensor& points, int64_t neighbours, bool as_published) {
  const auto wide = points.to(torch::kFloat64);
  auto distance = torch::cdist(wide, wide, 2, /*compute_mode=*/2);
  distance.diagonal().fill_(std::numeric_limits<double>::infinity());
  auto nearest = std::get<0>(distance.topk(neighbours, 1, false));
  if (as_published) nearest.square_();
  return nearest.mean(1);
}

TEST(TypiClust, TheMostTypicalClipIsFoundWithoutTheNeighboursOfEach) {
  torch::manual_seed(3);
  const auto falling = 1 / torch::arange(1, 33).sqrt();
  const auto cloud = [&](int64_t n) { return torch::randn({n, 32}) * falling; };
  std::vector<torch::Tensor> pools = {cloud(600), cloud(1500) * 1e-3F + 5, torch::rand({513, 2}),
                                      torch::relu(cloud(768))};
  pools.push_back(
      torch::cat({cloud(600), cloud(5) * 1e-2F + 3}));  // the nearest company is far from the mean
  pools.push_back(torch::cat(
      {cloud(600), cloud(600) * 1e3F}));  // lengths that hide small distances in rounding
  pools.push_back(torch::cat({cloud(300), cloud(300)}).repeat({2, 1}));  // every clip twice
  pools.push_back(torch::ones({600, 3}));
  for (size_t i = 0; i < pools.size(); ++i) {
    for (const int64_t neighbours : {1, 4, 20}) {
      for (const bool as_published : {false, true}) {
        const auto points = pools[i].contiguous();
        const auto mean = company(points, neighbours, as_published);
        const double least = mean.min().item<double>();
        const double found = mean[most_typical(points, neighbours, as_published)].item<double>();
        EXPECT_LE(found, least * (1 + 1e-6)) << i << " " << neighbours << " " << as_published;
      }
    }
  }
}

TEST(TypiClust, MoreNeighboursThanThereAreClipsAreAllOfThem) {
  const auto points = torch::cat({torch::zeros({600, 2}), torch::ones({1, 2})});
  for (const int64_t neighbours : {600, 601, 1000})
    EXPECT_EQ(most_typical(points, neighbours, false), 0);
}

// Around 0 a clip is labelled, around 11 none. Sums of the distances to the two nearest
// there: 1.35, 0.85, 0.4, 0.25, 0.35, 0.6, 1.35.
TEST(TypiClust, TakesTheMostTypicalClipOfTheClusterWithoutLabels) {
  PoolScores scores;
  scores.embeddings =
      line({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 10, 10.5, 10.85, 11.0, 11.1, 11.35, 11.9});
  scores.labelled_embeddings = line({0.35});
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_THAT(chosen(scores, 1, "neighbours: 2", seed), ElementsAre(9));
}

// Six clips and two far from them: the two are a cluster, but a small one.
TEST(TypiClust, SmallClustersComeLast) {
  PoolScores scores;
  scores.embeddings = line({0, 0.5, 0.8, 0.95, 1.2, 1.9, 50, 51});
  const auto last = [&](const std::string& options, int64_t count) {
    return chosen(scores, count, options).back();
  };
  EXPECT_LT(last("max_clusters: 2", 2), 6);
  EXPECT_GE(last("max_clusters: 2, small: 1", 2), 6);
  EXPECT_GE(last("max_clusters: 2", 8), 6);
  EXPECT_GE(last("max_clusters: 2", 7), 6);
}

TEST(TypiClust, TakesTurnsAmongTheClusters) {
  PoolScores scores;
  scores.embeddings = line({0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104, 105});
  const auto rows = chosen(scores, 4, "max_clusters: 2");
  for (size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(rows[i] < 7, i % 2 == 0) << "the larger cluster first, then in turn";
}

TEST(TypiClust, ComparesDirectionsUnlessToldNotTo) {
  PoolScores scores;
  scores.embeddings = torch::tensor({1.0, 0.0, 900.0, 0.0, 5.0, 0.0, 0.0, 1.0, 0.0, 40.0, 0.0, 6.0},
                                    torch::kFloat64)
                          .view({6, 2});
  const auto rows = make<Strategy>("typiclust", "small: 0")->select(scores, 2, Random(1));
  EXPECT_NE(rows[0].item<int64_t>() < 3, rows[1].item<int64_t>() < 3);
}

}  // namespace
}  // namespace distal
