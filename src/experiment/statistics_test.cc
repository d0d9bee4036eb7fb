#include "experiment/statistics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Statistics, ComputesTheIncompleteBetaFunction) {
  EXPECT_NEAR(regularised_incomplete_beta(0.5, 0.5, 0.25), 1.0 / 3, 1e-14);
  // a = 2, b = 3 by hand: 6 x^2 - 8 x^3 + 3 x^4
  EXPECT_NEAR(regularised_incomplete_beta(2, 3, 0.4), 0.5248, 1e-14);
  // mpmath 1.3, 30 digits
  EXPECT_NEAR(regularised_incomplete_beta(4.5, 0.5, 0.9), 0.343436396137913571, 1e-13);
  EXPECT_NEAR(regularised_incomplete_beta(50, 0.5, 0.99), 0.317304397874197373, 1e-12);
  EXPECT_NEAR(regularised_incomplete_beta(500, 0.5, 0.999), 0.317310447309717155, 1e-11);
  EXPECT_NEAR(regularised_incomplete_beta(0.5, 40, 0.01), 0.628613976746015334, 1e-13);
  EXPECT_EQ(regularised_incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(regularised_incomplete_beta(2, 3, 1), 1);
}

TEST(Statistics, GivesStudentsTailsAndCriticalValues) {
  EXPECT_NEAR(student_t_two_sided_p(2, 9), 0.076552823770701041, 1e-14);
  EXPECT_NEAR(student_t_two_sided_p(-2, 9), 0.076552823770701041, 1e-14);
  EXPECT_NEAR(student_t_two_sided_p(0.3, 1), 1 - 2 / M_PI * std::atan(0.3), 1e-14);  // one degree: Cauchy
  EXPECT_NEAR(student_t_two_sided_p(12, 4), 0.00027642854850297295, 1e-17);
  EXPECT_NEAR(student_t_two_sided_p(2.5, 199), 0.013227259966507703, 1e-13);
  EXPECT_EQ(student_t_two_sided_p(0, 5), 1);
  const std::vector<std::pair<double, double>> table = {{1, 12.706204736174705}, {2, 4.302652729749464}, {4, 2.7764451051977943},
                                                        {9, 2.2621571627982053}, {29, 2.045229642132704}, {999, 1.9623414611334498}};
  for (const auto& [freedom, critical] : table) EXPECT_NEAR(student_t_critical(0.05, freedom), critical, 1e-10 * critical);
}

TEST(Statistics, SummarisesByHand) {
  const auto s = summarise({2, 4, 6});
  EXPECT_EQ(s.n, 3);
  EXPECT_DOUBLE_EQ(s.mean, 4);
  EXPECT_DOUBLE_EQ(s.sd, 2);
  EXPECT_NEAR(s.interval.high - 4, 4.302652729749464 * 2 / std::sqrt(3), 1e-12);
  EXPECT_NEAR(4 - s.interval.low, s.interval.high - 4, 1e-12);
  EXPECT_TRUE(std::isinf(summarise({3}).interval.high));
  EXPECT_EQ(summarise({3}).mean, 3);
  EXPECT_TRUE(std::isnan(summarise({}).mean));
  EXPECT_THROW(summarise({1, NAN}), std::logic_error);
}

TEST(Statistics, CoversTheMeanNineteenTimesOfTwenty) {
  Random random(5);
  int covered = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> values(5);
    for (double& v : values) v = 3 + random.normal();
    const auto s = summarise(values);
    covered += s.interval.low <= 3 && 3 <= s.interval.high;
  }
  EXPECT_NEAR(covered / 4000.0, 0.95, 0.012);  // 3.5 standard errors
}

TEST(Statistics, RepeatsStudentsOwnPairedTest) {
  // Student 1908, hours of sleep gained by ten patients with two drugs; t and p as in every textbook since
  const std::vector<double> a = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}, b = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const auto test = paired_t_test(a, b);
  EXPECT_NEAR(test.difference.mean, -1.58, 1e-12);
  EXPECT_NEAR(test.difference.sd, 1.2299954832798732, 1e-12);
  EXPECT_NEAR(test.t, -4.062127683382037, 1e-12);
  EXPECT_NEAR(test.p, 0.002832890197384273, 1e-14);
  EXPECT_NEAR(test.difference.interval.low, -2.459885763276983, 1e-10);
  EXPECT_NEAR(test.difference.interval.high, -0.7001142367230175, 1e-10);
  EXPECT_DOUBLE_EQ(paired_t_test(b, a).p, test.p);
}

TEST(Statistics, DoesNotBelieveEqualDifferencesOfFewPairs) {
  EXPECT_EQ(paired_t_test({0.02, 0.02}).p, 0.5);
  EXPECT_EQ(paired_t_test({0.1 + 0.2, 0.3, 0.3}).p, 0.25);  // equal up to rounding
  EXPECT_EQ(paired_t_test(std::vector<double>(10, -0.1)).p, std::exp2(-9));
  EXPECT_EQ(paired_t_test({0, 0, 0}).p, 1);
  EXPECT_EQ(paired_t_test({5}).p, 1);
  EXPECT_EQ(paired_t_test(std::vector<double>{}).p, 1);
}

TEST(Statistics, CorrectsByHolm) {
  // sorted 0.01 0.02 0.03 0.04 times 4 3 2 1 = 0.04 0.06 0.06 0.04, never falling: 0.04 0.06 0.06 0.06
  EXPECT_THAT(holm({0.03, 0.01, 0.04, 0.02}), ElementsAre(DoubleNear(0.06, 1e-15), DoubleNear(0.04, 1e-15), DoubleNear(0.06, 1e-15), DoubleNear(0.06, 1e-15)));
  EXPECT_THAT(holm({0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_THAT(holm({0.2}), ElementsAre(0.2));
  EXPECT_TRUE(holm({}).empty());
}

TEST(Statistics, MeasuresTheAreaUnderTheCurve) {
  EXPECT_DOUBLE_EQ(aubc({0.5, 0.7}), 0.6);
  EXPECT_DOUBLE_EQ(aubc({0, 1, 1}), 0.75);
  EXPECT_DOUBLE_EQ(aubc({0.4}), 0.4);
  EXPECT_DOUBLE_EQ(aubc({0, 1, 1}, {10, 20, 50}), 35);  // not divided by 40
  EXPECT_THROW(aubc({0, 1}, {1}), std::logic_error);
}

TEST(Statistics, FindsTheLabelsThatReachATarget) {
  const std::vector<double> budget = {10, 20, 40}, accuracy = {0.4, 0.6, 0.7};
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.5), 15);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.65), 30);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.7), 40);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.1), 10);
  EXPECT_FALSE(labels_to_target(budget, accuracy, 0.71));
  EXPECT_DOUBLE_EQ(*labels_to_target({1, 2, 3, 4}, {0, 1, 0, 1}, 0.5), 1.5);  // the first crossing
  EXPECT_DOUBLE_EQ(*labels_to_target({1, 2, 2}, {0, 0.4, 0.6}, 0.5), 2);  // a round that could ask nothing
  EXPECT_FALSE(labels_to_target({}, {}, 0.5));
  EXPECT_THROW(labels_to_target({2, 1}, {0, 1}, 0.5), std::logic_error);
}

TEST(Statistics, CountsInRowIWhereMethodIBeatsMethodJ) {
  // two budgets; `good` is clearly above `bad` at the first only
  const std::vector<std::vector<double>> good = {{0.80, 0.9}, {0.82, 0.8}, {0.81, 0.9}}, bad = {{0.50, 0.8}, {0.53, 0.9}, {0.51, 0.9}};
  const auto matrix = penalty_matrix({good, bad});
  EXPECT_THAT(matrix[0], ElementsAre(0, 0.5));
  EXPECT_THAT(matrix[1], ElementsAre(0, 0));
  const auto swapped = penalty_matrix({bad, good});
  EXPECT_THAT(swapped[0], ElementsAre(0, 0));
  EXPECT_THAT(swapped[1], ElementsAre(0.5, 0));
  EXPECT_EQ(penalty_matrix({good, {bad[0]}})[0][1], 0);  // one pair shows nothing
  EXPECT_EQ(penalty_matrix({good, {bad[0], bad[1], bad[2], {0.9, 0.9}}})[0][1], 0.5);  // the fourth has no partner
}

TEST(Statistics, DrawsWholeVideosInTheBootstrap) {
  // video v: 3 clips, a right and b wrong; video w: 1 clip, equal. Draws give 1, 3/4 or 0 with chances 1/4, 1/2, 1/4.
  const auto small = bootstrap_videos({1, 1, 1, 1}, {0, 0, 1, 0}, {"v", "v", "w", "v"}, Random(1));
  EXPECT_EQ(small.videos, 2);
  EXPECT_DOUBLE_EQ(small.difference, 0.75);
  EXPECT_EQ(small.interval.low, 0);
  EXPECT_EQ(small.interval.high, 1);
  // ten videos of 20 equal clips, five of them differ: a standard error of sqrt(0.25 / 10), not of sqrt(0.25 / 200)
  std::vector<double> a, b;
  std::vector<std::string> video;
  for (int clip = 0; clip < 200; ++clip) {
    a.push_back(clip % 10 < 5 ? 1 : 0);
    b.push_back(0);
    video.push_back(std::to_string(clip % 10));
  }
  const auto wide = bootstrap_videos(a, b, video, Random(2));
  EXPECT_DOUBLE_EQ(wide.difference, 0.5);
  EXPECT_NEAR(wide.interval.low, 0.2, 0.01);   // binomial(10, 1/2): 2.5 % at 2 of 10
  EXPECT_NEAR(wide.interval.high, 0.8, 0.01);
  EXPECT_EQ(bootstrap_videos(a, b, video, Random(2)).interval.low, wide.interval.low);
  EXPECT_TRUE(std::isinf(bootstrap_videos({1, 0}, {0, 0}, {"v", "v"}, Random(1)).interval.high));
}

TEST(Statistics, SaysBetterOnlyWhereTheTestDoes) {
  const std::vector<double> clear = {2, 3, 2.5, 2.2, 2.8}, vague = {2, -3, 2.5, -1, 0.3};
  const std::string better = verdict("entropy", "random", clear, "accuracy points", 0.01);
  EXPECT_THAT(better, AllOf(HasSubstr("entropy is better than random: +2.50 accuracy points"), HasSubstr("95 % interval +1.99 to +3.01"), HasSubstr("n = 5 pairs"),
                            HasSubstr("p < 0.001, p = 0.01 after Holm")));
  EXPECT_THAT(verdict("entropy", "random", clear, "points", 0.06), AllOf(HasSubstr("no difference shown between entropy and random"), HasSubstr("p = 0.06 after Holm"), Not(HasSubstr("better"))));
  EXPECT_THAT(verdict("a", "b", vague, "points"), AllOf(HasSubstr("no difference shown"), HasSubstr("n = 5"), HasSubstr("p = 0."), Not(HasSubstr("better"))));
  EXPECT_THAT(verdict("a", "b", {-2, -3, -2.5, -2.2, -2.8}, "points"), HasSubstr("a is worse than b: -2.50"));
  EXPECT_THAT(verdict("a", "b", {-2, -3, -2.5, -2.2, -2.8}, "labels", std::nullopt, Better::smaller), HasSubstr("a is better than b: -2.50 labels"));
  EXPECT_THAT(verdict("a", "b", {0.5}, "points"), AllOf(HasSubstr("no difference shown"), HasSubstr("n = 1")));
  EXPECT_THAT(verdict("a", "b", {}, "points"), AllOf(HasSubstr("no difference shown"), HasSubstr("n = 0")));
  EXPECT_THAT(verdict("a", "b", {3, 3}, "points"), HasSubstr("no difference shown"));
}

TEST(Statistics, SaysBetterOrWorseByChanceOnceInTwenty) {
  Random random(11);
  int shown = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> differences(6);
    for (double& d : differences) d = random.normal();
    shown += verdict("a", "b", differences, "points").find("no difference") == std::string::npos;
  }
  EXPECT_NEAR(shown / 4000.0, 0.05, 0.012);
}

}  // namespace
}  // namespace distal
