#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::UnorderedElementsAre;

// Two classes: the gain 1 - |p_0 - p_1| is twice the smaller probability.
PoolScores with_gains(std::vector<double> gains) {
  const auto small = torch::tensor(gains, torch::kFloat64) / 2;
  PoolScores scores;
  scores.logits = torch::stack({small, 1 - small}, 1).log();
  return scores;
}

std::vector<int64_t> chosen(const PoolScores& scores, int64_t count, uint64_t seed,
                            const std::string& options = "") {
  const auto rows = make<Strategy>("rad", options)->select(scores, count, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

std::vector<double> shares(const PoolScores& scores, const std::string& options = "") {
  constexpr int kDraws = 3000;
  std::vector<double> share(scores.size());
  for (uint64_t seed = 0; seed < kDraws; ++seed)
    share[chosen(scores, 1, seed, options)[0]] += 1.0 / kDraws;
  return share;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want) {
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(got[i], want[i], want[i] == 0 ? 0 : 5 * std::sqrt(0.25 / 3000)) << i;
}

// 1 / g: 1, 1.25, 2, 10. m = 1: H = 0, 0.4444, 0.4706, 0.2105, so that k* = 3 and p = (1, 1.25, 2)
// / 4.25.
TEST(Rad, DrawsTheEqualisingSharesOfTheHardest) {
  auto scores = with_gains({0.8, 0.1, 1, 0.5});
  scores.teacher_error = 0;
  expect_near(shares(scores), {0.2941, 0, 0.2353, 0.4706});
  scores.teacher_error = -1;
  expect_near(shares(scores), {0.2941, 0, 0.2353, 0.4706});
}

// m = 3: only H_4 = 1 / 14.25 is above 0.
TEST(Rad, SpreadsFurtherTheMoreTheTeacherErrs) {
  auto scores = with_gains({0.8, 0.1, 1, 0.5});
  const std::vector<double> want = {1.25 / 14.25, 10 / 14.25, 1 / 14.25, 2 / 14.25};
  scores.teacher_error = 0.6;  // ceil(0.6 * 4)
  expect_near(shares(scores), want);
  scores.teacher_error = 0;
  expect_near(shares(scores, "error: 0.75"), want);
}

TEST(Rad, KeepsAsManyClipsAsItMustChoose) {
  const auto scores = with_gains({0.8, 0.1, 1, 0.5});
  EXPECT_THAT(chosen(scores, 3, 1), UnorderedElementsAre(0, 2, 3));
  EXPECT_THAT(chosen(scores, 4, 1), UnorderedElementsAre(0, 1, 2, 3));
}

// The adversary takes the m largest p_i g_i away. No other shares leave more than RAD's.
TEST(Rad, LeavesTheMostToAnAdversary) {
  const std::vector<double> gains = {1, 0.9, 0.7, 0.65, 0.3, 0.2};
  constexpr int kSpoilt = 2;
  const auto worst_case = [&](std::vector<double> p) {
    for (size_t i = 0; i < p.size(); ++i) p[i] *= gains[i];
    std::sort(p.begin(), p.end());
    double sum = 0;
    for (size_t i = 0; i + kSpoilt < p.size(); ++i) sum += p[i];
    return sum;
  };
  double best = 0;
  double inverse = 0;
  std::vector<double> rad;
  for (size_t k = 1; k <= gains.size(); ++k) {
    inverse += 1 / gains[k - 1];
    std::vector<double> p(gains.size(), 0.0);
    for (size_t i = 0; i < k; ++i) p[i] = 1 / gains[i] / inverse;
    if (worst_case(p) > best) {
      best = worst_case(p);
      rad = p;
    }
  }
  Random random(6);
  for (int trial = 0; trial < 20000; ++trial) {
    std::vector<double> p;
    double sum = 0;
    for (size_t i = 0; i < gains.size(); ++i) {
      p.push_back(-std::log(1 - random.uniform()));
      sum += p.back();
    }
    for (double& share : p) share /= sum;
    EXPECT_LE(worst_case(p), best + 1e-12);
  }
  auto scores = with_gains(gains);
  scores.teacher_error = 0.3;  // ceil(0.3 * 6) = 2
  expect_near(shares(scores), rad);
}

TEST(Rad, NeedsToKnowHowOftenTheTeacherErrsUnlessTold) {
  EXPECT_TRUE(make<Strategy>("rad")->needs().teacher_error);
  EXPECT_FALSE(make<Strategy>("rad", "error: 0.1")->needs().teacher_error);
}

}  // namespace
}  // namespace distal
