#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/active/kernels.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

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

TEST(Badge, MatchesThePublishedCode) {
  const auto table = parity_table("BADGE");
  if (table.is_null())
    GTEST_SKIP() << "the reference numbers (shared/reference/parity) are not here";
  PoolScores scores;
  scores.logits = tensor_of(table["logits"]);
  scores.embeddings = tensor_of(table["penultimate"]);
  const auto& want = table["expected"];
  const auto p = checked_probabilities(scores, "badge");
  EXPECT_LT((p - tensor_of(want["softmax"])).abs().max().item<double>(), 1e-10);

  const auto gradient = tensor_of(want["gradient_embedding"]);
  NearestCentre nearest({p - torch::one_hot(p.argmax(1), p.size(1)), scores.embeddings});
  EXPECT_LT((nearest.squared_norm() - gradient.square().sum(1)).abs().max().item<double>(), 1e-10);
  const auto distances = tensor_of(want["squared_distances"]);
  const auto first = want["first_centre"].get<int64_t>();
  nearest.add_row(first);
  for (int64_t row = 0; row < p.size(0); ++row)
    EXPECT_NEAR(nearest.squared_distance()[row].item<double>(),
                row == first ? -1 : distances[first][row].item<double>(), 1e-10);

  const auto chance = want["probability_of_second_centre"].get<std::vector<double>>();
  const int draws = 1000;
  std::vector<int> drawn(chance.size());
  for (int seed = 0; seed < draws; ++seed) {
    const auto rows = make<Strategy>("badge")->select(scores, 2, Random(seed));
    EXPECT_EQ(rows[0].item<int64_t>(), first);
    ++drawn[rows[1].item<int64_t>()];
  }
  for (size_t row = 0; row < chance.size(); ++row)
    EXPECT_NEAR(drawn[row] / double(draws), chance[row], 5 * std::sqrt(0.25 / draws))
        << "row " << row;
}

TEST(Badge, FirstTakesTheLargestGradientWorkedByHand) {
  PoolScores scores;
  scores.logits = torch::tensor({0.5, 0.5, 0.9, 0.1}).view({2, 2}).log();
  scores.embeddings = torch::tensor({1.0, 0.0, 3.0, 4.0}).view({2, 2});
  // |g_0| = sqrt(0.5) * 1 = 0.707, |g_1| = 0.1 * sqrt(2) * 5 = 0.7071...: make the second a little
  // longer.
  scores.embeddings[1] *= 1.01;
  EXPECT_EQ(make<Strategy>("badge")->select(scores, 1, Random(0))[0].item<int64_t>(), 1);
  scores.embeddings[1] *= 0.98;
  EXPECT_EQ(make<Strategy>("badge")->select(scores, 1, Random(0))[0].item<int64_t>(), 0);
}

TEST(Badge, NeverDrawsADuplicateWhileOthersAreLeft) {
  PoolScores scores;
  scores.logits =
      torch::tensor({0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0}, torch::kFloat64).view({4, 2});
  scores.embeddings =
      torch::tensor({8.0, 8.0, 8.0, 1.0}, torch::kFloat64).view({4, 1});  // three equal, one other
  for (uint64_t seed = 0; seed < 20; ++seed)
    EXPECT_EQ(make<Strategy>("badge")->select(scores, 2, Random(seed))[1].item<int64_t>(), 3);
}

TEST(Badge, KeepsAwayFromWhatThisRoundHasChosen) {
  PoolScores scores;
  scores.logits = torch::tensor({0.0, 1.0, 1.0, 0.0}, torch::kFloat64).view({2, 2});
  scores.embeddings = torch::tensor({8.0, 1.0}, torch::kFloat64).view({2, 1});
  EXPECT_EQ(make<Strategy>("badge")->select(scores, 1, Random(0))[0].item<int64_t>(), 0);
  PoolScores chosen;
  chosen.logits = scores.logits.slice(0, 0, 1);
  chosen.embeddings = scores.embeddings.slice(0, 0, 1);
  scores.chosen = std::make_shared<PoolScores>(chosen);
  scores.labelled_embeddings =
      torch::tensor({-3.0, 8.0}, torch::kFloat64).view({2, 1});  // one labelled before, one chosen
  EXPECT_EQ(make<Strategy>("badge")->select(scores, 1, Random(0))[0].item<int64_t>(), 1);
}

// Errors are made in blocks of rows.
TEST(Badge, NamesTheRowThatIsNotFiniteInALargePool) {
  PoolScores scores;
  scores.logits = torch::zeros({20'001, 2});
  scores.embeddings = torch::ones({20'001, 1});
  scores.logits[20'000][1] = std::nan("");
  EXPECT_THAT(error_of([&] { make<Strategy>("badge")->select(scores, 1, Random(0)); }),
              ::testing::HasSubstr("row 20000 of the logits"));
}

TEST(DrawRow, FollowsTheWeightsAndSkipsZeros) {
  const auto weights = torch::tensor({0.0, 1.0, -1.0, 3.0}, torch::kFloat64);
  Random random(5);
  std::vector<int> drawn(4);
  for (int i = 0; i < 4000; ++i) ++drawn[draw_row(weights, random)];
  EXPECT_EQ(drawn[0] + drawn[2], 0);
  EXPECT_NEAR(drawn[1], 1000, 5 * 27.4);  // sqrt(4000 * 0.25 * 0.75) = 27.4
  EXPECT_EQ(draw_row(torch::zeros({3}), random), -1);
}

}  // namespace
}  // namespace distal
