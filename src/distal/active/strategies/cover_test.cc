// prob_cover and facility_location: both greedy over the pool, on small circles and against naive
// loops.

#include <numbers>

#include <gmock/gmock.h>

#include "distal/active/kernels.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::vector<int64_t> chosen(const std::string& name, const PoolScores& scores, int64_t count,
                            const std::string& options = "", uint64_t seed = 1) {
  const auto rows = make<Strategy>(name, options)->select(scores, count, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

torch::Tensor circle(std::vector<double> degrees) {
  const auto radians = torch::tensor(degrees, torch::kFloat64) * (std::numbers::pi / 180);
  return 3 * torch::stack({radians.cos(), radians.sin()}, 1);
}

torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed) {
  Random random(seed);
  torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values;
}

// 0.12 is the chord of 6.9 degrees: 5 sees 0 and 10, 40 and 45 see each other, 90 is alone.
TEST(ProbCover, TakesTheBallThatCoversMostOfWhatIsLeft) {
  PoolScores scores;
  scores.embeddings = circle({0, 5, 10, 40, 45, 90});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const auto rows = chosen("prob_cover", scores, 3, "delta: 0.12", seed);
    EXPECT_EQ(rows[0], 1);
    EXPECT_THAT(rows[1], AnyOf(3, 4));
    EXPECT_EQ(rows[2], 5);
  }
  scores.labelled_embeddings = circle({42});
  EXPECT_THAT(chosen("prob_cover", scores, 2, "delta: 0.12"), ElementsAre(1, 5));
}

TEST(ProbCover, EqualsTheNaiveLoop) {
  PoolScores scores;
  scores.embeddings = normal({120, 3}, 4);
  scores.labelled_embeddings = normal({4, 3}, 5);
  const double delta = 0.4;
  const auto x = unit_length(scores.embeddings);
  const auto l = unit_length(scores.labelled_embeddings);
  const auto near = torch::cdist(x, x) < delta;
  auto open = (torch::cdist(x, l) >= delta).all(1);
  const auto rows = chosen("prob_cover", scores, 25, "delta: 0.4");
  ASSERT_EQ(rows.size(), 25U);
  for (const int64_t row : rows) {
    const auto degree = near.logical_and(open.unsqueeze(0)).sum(1);
    EXPECT_EQ(degree[row].item<int64_t>(), degree.max().item<int64_t>());
    open = open.logical_and(near[row].logical_not());
  }
}

// Two groups: the nearest of the other group is 50, 55, 60, 50, 55 and 60 degrees away.
TEST(ProbCover, TakesItsRadiusFromThePurityOfTheBalls) {
  PoolScores scores;
  scores.embeddings = circle({0, 5, 10, 60, 65, 70});
  scores.logits = torch::zeros({6, 2});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const auto rows = chosen("prob_cover", scores, 2, "", seed);
    EXPECT_NE(rows[0] < 3, rows[1] < 3) << "a ball covers its own group, and no more";
  }
  // Half of the balls may be impure: 55 degrees, so that 10 and 60 see one another's group and
  // cover most.
  EXPECT_THAT(chosen("prob_cover", scores, 1, "purity: 0.5").front(), AnyOf(2, 3));
  EXPECT_TRUE(make<Strategy>("prob_cover")->needs().logits);
  EXPECT_FALSE(make<Strategy>("prob_cover", "delta: 0.75")->needs().logits);
}

TEST(FacilityLocation, EqualsTheNaiveLoop) {
  PoolScores scores;
  scores.embeddings = normal({90, 4}, 6);
  scores.labelled_embeddings = normal({5, 4}, 7);
  const auto x = unit_length(scores.embeddings);
  const auto similarity = (1 + x.mm(x.t())) / 2;
  auto served = ((1 + x.mm(unit_length(scores.labelled_embeddings).t())) / 2).amax(1);
  const auto rows = chosen("facility_location", scores, 30);
  ASSERT_EQ(rows.size(), 30U);
  for (const int64_t row : rows) {
    const auto gain = (similarity - served.unsqueeze(1)).clamp_min(0).sum(0);
    EXPECT_NEAR(gain[row].item<double>(), gain.max().item<double>(), 1e-9);
    served = served.maximum(similarity[row]);
  }
}

// Of three groups the largest is served first, by its middle; similarity falls with the angle.
TEST(FacilityLocation, ServesTheLargestGroupsFirst) {
  PoolScores scores;
  scores.embeddings =
      circle({0, 3, 6, 9, 12, 183, 186,
              189});  // around opposite points: neither group draws the other's middle aside
  EXPECT_THAT(chosen("facility_location", scores, 2), ElementsAre(2, 6));
}

TEST(FacilityLocation, CountsWhatIsLabelledAsServed) {
  PoolScores scores;
  scores.embeddings = circle({0, 3, 6, 9, 12, 180, 183, 186});
  scores.labelled_embeddings = circle({6});
  EXPECT_THAT(chosen("facility_location", scores, 1), UnorderedElementsAre(6));
}

}  // namespace
}  // namespace distal
