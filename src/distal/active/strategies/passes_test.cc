// bald, ensemble, committee and consistency: numbers worked by hand, and the formulas written
// naively.

#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

std::vector<double> scores_of(const std::string& name, const torch::Tensor& passes,
                              const std::string& options = "") {
  PoolScores scores;
  scores.passes = passes;
  const auto values = make<Strategy>(name, options)->score(scores, Random(0))->contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

torch::Tensor probabilities(std::vector<double> values, int64_t passes, int64_t clips) {
  return torch::tensor(values, torch::kFloat64).view({passes, clips, -1}).log() +
         2;  // softmax gives them back
}

// Clip 0: two sure passes that differ; clip 1: two unsure passes; clip 2: two sure passes that
// agree.
const torch::Tensor kTwo =
    probabilities({0.9, 0.1, 0.5, 0.5, 0.9, 0.1, 0.1, 0.9, 0.5, 0.5, 0.9, 0.1}, 2, 3);

torch::Tensor random_passes(int64_t passes, int64_t clips, int64_t classes) {
  Random random(8);
  auto logits = torch::empty({passes, clips, classes}, torch::kFloat64);
  for (int64_t i = 0; i < logits.numel(); ++i) logits.data_ptr<double>()[i] = 2 * random.normal();
  return logits;
}

TEST(Bald, IsLargeWhereSurePassesDiffer) {
  // H(0.5, 0.5) - H(0.9, 0.1) = 0.693147 - 0.325083
  EXPECT_THAT(scores_of("bald", kTwo), Pointwise(DoubleNear(1e-6), {0.368064, 0.0, 0.0}));
}

TEST(Ensemble, ScoresByInformationEntropyOrVariation) {
  EXPECT_THAT(scores_of("ensemble", kTwo), Pointwise(DoubleNear(1e-6), {0.368064, 0.0, 0.0}));
  EXPECT_THAT(scores_of("ensemble", kTwo, "by: entropy"),
              Pointwise(DoubleNear(1e-6), {0.693147, 0.693147, 0.325083}));
  // Clip 0: two votes for class 0, one for class 1; clip 1: three for class 0.
  const auto three =
      probabilities({0.6, 0.4, 0.7, 0.3, 0.7, 0.3, 0.9, 0.1, 0.2, 0.8, 0.8, 0.2}, 3, 2);
  EXPECT_THAT(scores_of("ensemble", three, "by: variation"),
              Pointwise(DoubleNear(1e-12), {1.0 / 3, 0.0}));
}

TEST(Committee, VotesGiveTheEntropyOfTheirShares) {
  // Clip 0: two votes for class 0, one for class 1; clip 1: three for class 0.
  const auto three =
      probabilities({0.6, 0.4, 0.7, 0.3, 0.7, 0.3, 0.9, 0.1, 0.2, 0.8, 0.8, 0.2}, 3, 2);
  EXPECT_THAT(scores_of("committee", three), Pointwise(DoubleNear(1e-6), {0.636514, 0.0}));
}

TEST(Committee, ConsensusIsTheMeanDivergenceFromTheMean) {
  const auto logits = random_passes(4, 20, 3);
  const auto p = logits.softmax(2);
  const auto mean = p.mean(0);
  const auto want = (p * (p / mean).log()).sum(2).mean(0);
  const auto got = scores_of("committee", logits, "by: consensus");
  for (int64_t i = 0; i < 20; ++i) EXPECT_NEAR(got[i], want[i].item<double>(), 1e-12);
}

TEST(Consistency, IsTheMeanSquaredDifferenceOverThePairs) {
  // (1,0), (3,0), (1,2): pairs differ by 2, 2 and 4 on average over the classes.
  const auto hand = torch::tensor({1.0, 0.0, 3.0, 0.0, 1.0, 2.0}, torch::kFloat64).view({3, 1, 2});
  EXPECT_THAT(scores_of("consistency", hand),
              Pointwise(DoubleNear(1e-12), std::vector<double>{8.0 / 3}));
  const auto logits = random_passes(5, 20, 4) + 1000;  // far from 0: cancellation would show
  auto want = torch::zeros({20}, torch::kFloat64);
  for (int64_t a = 0; a < 5; ++a) {
    for (int64_t b = a + 1; b < 5; ++b) want += (logits[a] - logits[b]).square().mean(1) / 10;
  }
  const auto got = scores_of("consistency", logits);
  for (int64_t i = 0; i < 20; ++i) EXPECT_NEAR(got[i], want[i].item<double>(), 1e-9);
}

TEST(Passes, AskForAsManyAsTheirOptionsSay) {
  EXPECT_EQ(make<Strategy>("bald", "passes: 50")->needs().pass_count, 50);
  EXPECT_EQ(make<Strategy>("committee", "members: 3")->needs().pass_count, 3);
  EXPECT_EQ(make<Strategy>("ensemble")->needs().passes, "members");
  EXPECT_EQ(make<Strategy>("consistency")->needs().passes, "augmented");
  EXPECT_THROW(make<Strategy>("bald", "passes: 1"), UsageError);
}

}  // namespace
}  // namespace distal
