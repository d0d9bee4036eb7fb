#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::vector<int64_t> chosen(const PoolScores& scores, int64_t count, uint64_t seed = 1,
                            const std::string& options = "") {
  const auto rows = make<Strategy>("clue", options)->select(scores, count, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

PoolScores line(std::vector<double> places, std::vector<double> first_logit) {
  PoolScores scores;
  scores.embeddings = torch::tensor(places, torch::kFloat64).unsqueeze(1);
  const auto first = torch::tensor(first_logit, torch::kFloat64);
  scores.logits = torch::stack({first, torch::zeros_like(first)}, 1);
  return scores;
}

TEST(Clue, TakesTheMiddleOfEachClusterWhereAllIsAsUncertain) {
  const auto scores = line({0, 1, 2, 30, 31, 32}, std::vector<double>(6, 0.0));
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_THAT(chosen(scores, 2, seed), UnorderedElementsAre(1, 4));
}

TEST(Clue, IsPulledToWhatIsUncertain) {
  // Sure at 1, 2, 31 and 32: the centres lie on 0 and 30.
  const auto scores = line({0, 1, 2, 30, 31, 32}, {0, 40, 40, 0, 40, 40});
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_THAT(chosen(scores, 2, seed), UnorderedElementsAre(0, 3));
}

TEST(Clue, TakesTheHeavierClusterFirst) {
  EXPECT_THAT(chosen(line({0, 1, 2, 30, 31, 32}, {3, 3, 3, 0, 0, 0}), 2), ElementsAre(4, 1));
}

// Logits 0 and 4: a small temperature makes all but the first sure, a large one all alike.
TEST(Clue, SharpensItsWeightsByTheTemperature) {
  const auto scores = line({0, 1, 2}, {0, 4, 4});
  EXPECT_THAT(chosen(scores, 1, 1, "temperature: 0.1"), ElementsAre(0));
  EXPECT_THAT(chosen(scores, 1, 1, "temperature: 100"), ElementsAre(1));
}

TEST(Clue, KeepsAwayFromWhatThisRoundHasChosen) {
  auto scores = line({0, 1, 2, 30, 31, 32}, {0, 0, 0, 3, 3, 3});
  EXPECT_THAT(chosen(line({0, 1, 2, 3}, {0, 0, 0, 0}), 0), ElementsAre());
  const auto before = line({1}, {0});
  scores.chosen = std::make_shared<PoolScores>(before);
  for (uint64_t seed = 0; seed < 5; ++seed) EXPECT_THAT(chosen(scores, 1, seed), ElementsAre(4));
}

}  // namespace
}  // namespace distal
