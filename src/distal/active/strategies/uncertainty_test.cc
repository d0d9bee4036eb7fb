// random, least_confidence, margin and entropy: numbers worked by hand.

#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/tasks/testing.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

std::vector<double> scores_of(const std::string& name, const torch::Tensor& probabilities) {
  PoolScores scores;
  scores.logits = probabilities.log() + 3;  // softmax gives the probabilities back
  const auto values = *make<Strategy>(name)->score(scores, Random(0));
  EXPECT_EQ(values.scalar_type(), torch::kFloat64);
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

const torch::Tensor kP =
    torch::tensor({0.7, 0.2, 0.1, 0.5, 0.5, 0.0, 0.4, 0.3, 0.3}, torch::kFloat64).view({3, 3});

TEST(LeastConfidence, IsOneMinusTheLargestProbability) {
  EXPECT_THAT(scores_of("least_confidence", kP), Pointwise(DoubleNear(1e-12), {0.3, 0.5, 0.6}));
}

TEST(Margin, IsTheGapOfTheTwoLargestBelowZero) {
  EXPECT_THAT(scores_of("margin", kP), Pointwise(DoubleNear(1e-12), {-0.5, 0.0, -0.1}));
}

TEST(Entropy, IsInNatsAndTakesZeroProbabilities) {
  EXPECT_THAT(scores_of("entropy", kP),
              Pointwise(DoubleNear(1e-6), {0.801819, 0.693147, 1.088900}));
}

TEST(Uncertainty, IsOfTheProbabilitiesThatTheTaskMakes) {
  const HalfSure task;
  PoolScores scores;
  scores.logits = (kP + 0.1).log();
  scores.passes = torch::stack({scores.logits, scores.logits + torch::eye(3)});
  PoolScores halved = scores;
  halved.logits = scores.logits / 2;
  halved.passes = scores.passes / 2;
  scores.task = &task;
  for (const char* name : {"least_confidence", "margin", "entropy", "bald", "ensemble"}) {
    const auto strategy = make<Strategy>(name);
    EXPECT_TRUE(
        torch::equal(*strategy->score(scores, Random(0)), *strategy->score(halved, Random(0))))
        << name;
  }
}

TEST(Uncertainty, OrdersThreeClipsInThreeWays) {
  PoolScores scores;
  scores.logits = kP.log();
  const auto first = [&](const char* name) {
    return make<Strategy>(name)->select(scores, 1, Random(0))[0].item<int64_t>();
  };
  EXPECT_EQ(first("least_confidence"), 2);
  EXPECT_EQ(first("margin"), 1);
  EXPECT_EQ(first("entropy"), 2);
}

TEST(RandomStrategy, DrawsEveryClipAsOften) {
  PoolScores scores;
  scores.logits = torch::zeros({10, 2});
  std::vector<int> drawn(10);
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const auto rows = make<Strategy>("random")->select(scores, 3, Random(seed));
    for (int64_t i = 0; i < 3; ++i) ++drawn[rows[i].item<int64_t>()];
  }
  for (const int times : drawn)
    EXPECT_NEAR(times, 900, 5 * 25.1);  // binomial: sqrt(3000 * 0.3 * 0.7) = 25.1
}

}  // namespace
}  // namespace distal
