#include "distal/evaluation/statistics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distal/base/hash.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// P(|T| >= t) with n degrees of freedom is I_x(n / 2, 1 / 2) at x = n / (n + t^2), DLMF 8.17.
TEST(Statistics, GivesTheIncompleteBetaFunctionsTails) {
  EXPECT_NEAR(student_t_two_sided_p(std::sqrt(3.0), 1), 1.0 / 3, 1e-14);  // I_0.25(0.5, 0.5)
  // I_0.9(4.5, 0.5), I_0.99(50, 0.5) and I_0.999(500, 0.5) by mpmath 1.3, 30 digits
  EXPECT_NEAR(student_t_two_sided_p(1, 9), 0.343436396137913571, 1e-13);
  EXPECT_NEAR(student_t_two_sided_p(std::sqrt(100.0 / 99), 100), 0.317304397874197373, 1e-12);
  EXPECT_NEAR(student_t_two_sided_p(std::sqrt(1000.0 / 999), 1000), 0.317310447309717155, 1e-11);
  EXPECT_EQ(student_t_two_sided_p(INFINITY, 4), 0);  // I_0
  EXPECT_EQ(student_t_two_sided_p(0, 4), 1);         // I_1
}

TEST(Statistics, GivesStudentsTailsAndCriticalValues) {
  EXPECT_NEAR(student_t_two_sided_p(2, 9), 0.076552823770701041, 1e-14);
  EXPECT_NEAR(student_t_two_sided_p(-2, 9), 0.076552823770701041, 1e-14);
  EXPECT_NEAR(student_t_two_sided_p(0.3, 1), 1 - 2 / M_PI * std::atan(0.3),
              1e-14);  // one degree: Cauchy
  EXPECT_NEAR(student_t_two_sided_p(12, 4), 0.00027642854850297295, 1e-17);
  EXPECT_NEAR(student_t_two_sided_p(2.5, 199), 0.013227259966507703, 1e-13);
  EXPECT_EQ(student_t_two_sided_p(0, 5), 1);
  const std::vector<std::pair<double, double>> table = {
      {1, 12.706204736174705}, {2, 4.302652729749464},  {4, 2.7764451051977943},
      {9, 2.2621571627982053}, {29, 2.045229642132704}, {999, 1.9623414611334498}};
  for (const auto& [freedom, critical] : table)
    EXPECT_NEAR(student_t_critical(0.05, freedom), critical, 1e-10 * critical);
}

// References: mpmath 1.3, 60 digits, or the closed forms of one, two and infinitely many degrees.
TEST(Statistics, GivesTheTailsOfTinyAndOfHugeT) {
  EXPECT_NEAR(student_t_two_sided_p(1e-10, 5), 0.999999999924078662, 1e-15);
  EXPECT_NEAR(student_t_two_sided_p(1e-5, 188), 0.999992031757457666, 1e-15);
  EXPECT_NEAR(student_t_two_sided_p(100, 200), 9.95684359045355271e-173, 1e-186);
  EXPECT_NEAR(student_t_two_sided_p(1e10, 1), 6.36619772367581343e-11, 1e-25);
  EXPECT_EQ(student_t_two_sided_p(-INFINITY, 4), 0);
}

TEST(Statistics, ComesToTheNormalDistributionWithTheDegreesOfFreedom) {
  EXPECT_NEAR(student_t_two_sided_p(2, 1e6), 0.0455005338513192084, 1e-15);
  for (const double freedom : {1e15, 1e17, 1e300, double{INFINITY}}) {
    EXPECT_NEAR(student_t_two_sided_p(0.3, freedom), std::erfc(0.3 / std::sqrt(2)), 1e-14);
    EXPECT_NEAR(student_t_two_sided_p(2, freedom), std::erfc(2 / std::sqrt(2)), 1e-14);
    EXPECT_NEAR(student_t_critical(0.05, freedom), 1.95996398454005424, 1e-14);
  }
}

TEST(Statistics, GivesCriticalValuesOfProbabilitiesNearZeroAndOne) {
  EXPECT_NEAR(student_t_critical(1e-300, 1) * 1e-300, 2 / M_PI, 1e-14);
  EXPECT_NEAR(student_t_critical(1e-300, 2) * 1e-150, 1, 1e-14);
  const double nearly_one = 1 - 1e-12;
  EXPECT_NEAR(student_t_critical(nearly_one, 1), std::tan(M_PI / 2 * (1 - nearly_one)), 1e-18);
  EXPECT_EQ(student_t_critical(1e-320, 1), INFINITY);  // 2 / pi * 1e320
}

TEST(Statistics, TakesNoDegreesOfFreedomOrProbabilitiesThatAreNone) {
  EXPECT_THROW(student_t_two_sided_p(NAN, 3), std::logic_error);
  EXPECT_THROW(student_t_two_sided_p(1, 0), std::logic_error);
  EXPECT_THROW(student_t_two_sided_p(1, NAN), std::logic_error);
  EXPECT_THROW(student_t_critical(0, 3), std::logic_error);
  EXPECT_THROW(student_t_critical(1, 3), std::logic_error);
  EXPECT_THROW(student_t_critical(0.05, -1), std::logic_error);
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
  // Student 1908, hours of sleep gained by ten patients with two drugs; t and p as in every
  // textbook since
  const std::vector<double> a = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
  const std::vector<double> b = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
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
  // sorted 0.01 0.02 0.03 0.04 times 4 3 2 1 = 0.04 0.06 0.06 0.04, never falling: 0.04 0.06 0.06
  // 0.06
  EXPECT_THAT(holm({0.03, 0.01, 0.04, 0.02}),
              ElementsAre(DoubleNear(0.06, 1e-15), DoubleNear(0.04, 1e-15), DoubleNear(0.06, 1e-15),
                          DoubleNear(0.06, 1e-15)));
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
  const std::vector<double> budget = {10, 20, 40};
  const std::vector<double> accuracy = {0.4, 0.6, 0.7};
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.5), 15);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.65), 30);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.7), 40);
  EXPECT_DOUBLE_EQ(*labels_to_target(budget, accuracy, 0.1), 10);
  EXPECT_FALSE(labels_to_target(budget, accuracy, 0.71));
  EXPECT_DOUBLE_EQ(*labels_to_target({1, 2, 3, 4}, {0, 1, 0, 1}, 0.5), 1.5);  // the first crossing
  EXPECT_DOUBLE_EQ(*labels_to_target({1, 2, 2}, {0, 0.4, 0.6}, 0.5),
                   2);  // a round that could ask nothing
  EXPECT_FALSE(labels_to_target({}, {}, 0.5));
  EXPECT_THROW(labels_to_target({2, 1}, {0, 1}, 0.5), std::logic_error);
}

TEST(Statistics, CountsInRowIWhereMethodIBeatsMethodJ) {
  // two budgets; `good` is clearly above `bad` at the first only
  const std::vector<std::vector<double>> good = {{0.80, 0.9}, {0.82, 0.8}, {0.81, 0.9}};
  const std::vector<std::vector<double>> bad = {{0.50, 0.8}, {0.53, 0.9}, {0.51, 0.9}};
  const auto matrix = penalty_matrix({good, bad});
  EXPECT_THAT(matrix[0], ElementsAre(0, 0.5));
  EXPECT_THAT(matrix[1], ElementsAre(0, 0));
  const auto swapped = penalty_matrix({bad, good});
  EXPECT_THAT(swapped[0], ElementsAre(0, 0));
  EXPECT_THAT(swapped[1], ElementsAre(0.5, 0));
  EXPECT_EQ(penalty_matrix({good, {bad[0]}})[0][1], 0);  // one pair shows nothing
  EXPECT_EQ(penalty_matrix({good, {bad[0], bad[1], bad[2], {0.9, 0.9}}})[0][1],
            0.5);  // the fourth has no partner
}

TEST(Statistics, ResamplesSeedsAndGroupsTogether) {
  // seed 0: a right and b wrong on the 3 clips of group v, equal on the clip of w; seed 1: equal.
  // Of both drawn twice, 1/4 each, the difference is 1, which has a chance of 1/16 > 2.5 %; of w
  // twice or seed 1 twice 0.
  const std::vector<std::vector<double>> difference = {{1, 1, 0, 1}, {0, 0, 0, 0}};
  const std::vector<std::string> group = {"v", "v", "w", "v"};
  const auto small = crossed_bootstrap(difference, group, Random(1));
  EXPECT_EQ(small.seeds, 2);
  EXPECT_EQ(small.groups, 2);
  EXPECT_DOUBLE_EQ(small.difference, 0.375);  // 3 of 8
  EXPECT_EQ(small.interval.low, 0);
  EXPECT_EQ(small.interval.high, 1);
  EXPECT_TRUE(
      std::isinf(crossed_bootstrap({{1, 1, 0, 1}}, group, Random(1)).interval.high));  // one seed
  EXPECT_TRUE(std::isinf(
      crossed_bootstrap(difference, {"v", "v", "v", "v"}, Random(1)).interval.low));  // one group
  EXPECT_THROW(crossed_bootstrap({{1}}, group, Random(1)), std::out_of_range);
}

TEST(Statistics, AddsTheScatterOfSeedsAndOfGroups) {
  // Ten seeds at 0.1 +- 0.1, forty groups at +- 0.2, one clip each: variances 0.01 / 10 and 0.04 /
  // 40 add up to 0.002.
  std::vector<std::vector<double>> difference(10, std::vector<double>(40));
  std::vector<std::string> group(40);
  for (size_t g = 0; g < 40; ++g) group[g] = std::to_string(g);
  for (size_t s = 0; s < 10; ++s) {
    for (size_t g = 0; g < 40; ++g)
      difference[s][g] = 0.1 + (s % 2 == 0 ? 0.1 : -0.1) + (g % 2 == 0 ? 0.2 : -0.2);
  }
  const auto both = crossed_bootstrap(difference, group, Random(2));
  EXPECT_NEAR(both.difference, 0.1, 1e-12);
  EXPECT_NEAR(both.interval.low, 0.1 - 1.96 * std::sqrt(0.002), 0.011);   // steps of 0.02
  EXPECT_NEAR(both.interval.high, 0.1 + 1.96 * std::sqrt(0.002), 0.011);  // steps of 0.02
  EXPECT_EQ(crossed_bootstrap(difference, group, Random(2)).interval.low,
            both.interval.low);  // the same for ever
  // 3,000 groups of one clip, drawn three together: the standard error is still sqrt(0.25 / 3000)
  std::vector<double> many;
  std::vector<std::string> each;
  for (int clip = 0; clip < 3000; ++clip) {
    many.push_back(mix64(static_cast<uint64_t>(clip)) % 2 == 0 ? 1 : 0);
    each.push_back(std::to_string(clip));
  }
  const auto narrow = crossed_bootstrap({many, many, many}, each, Random(4));
  EXPECT_EQ(narrow.groups, 3000);
  EXPECT_NEAR(narrow.interval.high - narrow.interval.low, 2 * 1.96 * std::sqrt(0.25 / 3000), 0.003);
  // Ten groups of 20 equal clips and seeds that agree: a standard error of sqrt(0.25 / 10), not of
  // sqrt(0.25 / 200)
  std::vector<double> clips;
  std::vector<std::string> video;
  for (int clip = 0; clip < 200; ++clip) {
    clips.push_back(clip % 10 < 5 ? 1 : 0);
    video.push_back(std::to_string(clip % 10));
  }
  const auto wide = crossed_bootstrap({clips, clips, clips}, video, Random(3));
  EXPECT_DOUBLE_EQ(wide.difference, 0.5);
  EXPECT_NEAR(wide.interval.low, 0.2, 0.01);  // binomial(10, 1/2): 2.5 % at 2 of 10
  EXPECT_NEAR(wide.interval.high, 0.8, 0.01);
}

Crossed crossed(double low, double high, int64_t groups = 56) {
  return {5, groups, (low + high) / 2, {low, high}};
}

const std::vector<double> kClear = {2, 3, 2.5, 2.2, 2.8};
const std::vector<double> kVague = {2, -3, 2.5, -1, 0.3};

TEST(Statistics, SaysBetterOnlyWhereSeedsAndGroupsDo) {
  const std::string better =
      verdict("entropy", "random", {kClear, 0.01, crossed(0.4, 4.6)}, "accuracy points");
  EXPECT_THAT(better, AllOf(HasSubstr("entropy is better than random: +2.50 accuracy points"),
                            HasSubstr("paired t-test over seeds: 95 % interval +1.99 to +3.01"),
                            HasSubstr("n = 5 pairs, p < 0.001, p = 0.01 after Holm"),
                            HasSubstr("seeds and test groups resampled together: 95 % interval "
                                      "+0.40 to +4.60, 56 groups")));
  // The case of issue 16: certain over seeds, 0 inside the interval over videos
  const std::string ahead =
      verdict("margin", "random", {kClear, 0.01, crossed(-0.3, 5.7)}, "points");
  EXPECT_THAT(ahead, AllOf(HasSubstr("margin is ahead of random on this test set; not shown for "
                                     "other videos: +2.50 points"),
                           HasSubstr("-0.30 to +5.70"), Not(HasSubstr("better"))));
  const std::vector<double> fallen = {-2, -3, -2.5, -2.2, -2.8};
  EXPECT_THAT(verdict("a", "b", {fallen, std::nullopt, crossed(-4, -1)}, "points"),
              HasSubstr("a is worse than b: -2.50"));
  EXPECT_THAT(
      verdict("a", "b", {fallen, std::nullopt, crossed(-4, 0)}, "points"),
      AllOf(HasSubstr("a is behind b on this test set; not shown"), Not(HasSubstr("worse"))));
  EXPECT_THAT(verdict("a", "b", {fallen, std::nullopt, crossed(-4, -1)}, "labels", Better::smaller),
              HasSubstr("a is better than b: -2.50 labels"));
  // Groups without seeds show nothing, nor do seeds before Holm's correction.
  EXPECT_THAT(verdict("entropy", "random", {kClear, 0.06, crossed(1, 4)}, "points"),
              AllOf(HasSubstr("no difference shown between entropy and random"),
                    HasSubstr("p = 0.06 after Holm"), Not(HasSubstr("better"))));
  EXPECT_THAT(verdict("a", "b", {kVague, std::nullopt, crossed(0.1, 4)}, "points"),
              AllOf(HasSubstr("no difference shown"), HasSubstr("n = 5"), HasSubstr("p = 0."),
                    Not(HasSubstr("better"))));
  EXPECT_EQ(shown({kClear, std::nullopt, crossed(0.1, 4)}), Shown::other_groups);
  EXPECT_EQ(shown({kClear, std::nullopt, crossed(-4, -0.1)}),
            Shown::this_test_set);  // the other way
}

TEST(Statistics, SaysWhatOneSeedOrFewGroupsCannotShow) {
  EXPECT_THAT(verdict("a", "b", {{0.5}}, "points"),
              AllOf(HasSubstr("no difference shown"), HasSubstr("n = 1"),
                    HasSubstr("one pair cannot be tested")));
  EXPECT_THAT(verdict("a", "b", {}, "points"),
              AllOf(HasSubstr("no difference shown"), HasSubstr("n = 0")));
  EXPECT_THAT(verdict("a", "b", {{3, 3}}, "points"), HasSubstr("no difference shown"));
  const auto words = [](const std::optional<Crossed>& known) {
    return verdict("a", "b", {kClear, std::nullopt, known}, "points", Better::larger, "patients");
  };
  EXPECT_THAT(words(std::nullopt),
              AllOf(HasSubstr("a is ahead of b on this test set; not shown for other patients"),
                    HasSubstr("which test clips were right is not known")));
  EXPECT_THAT(words(crossed(-INFINITY, INFINITY, 1)),
              AllOf(HasSubstr("not shown for other patients"),
                    HasSubstr("all test clips are of one group")));
  EXPECT_THAT(words(crossed(1, 4, 5)),
              AllOf(HasSubstr("not shown for other patients"),
                    HasSubstr("+1.00 to +4.00, 5 groups, too few: 6 are the least")));
  EXPECT_THAT(words(crossed(1, 4, 6)), HasSubstr("a is better than b"));
}

TEST(Statistics, GivesNoIntervalOfEqualDifferences) {
  EXPECT_THAT(
      verdict("a", "b", {{25.0 / 6, 25.0 / 6}, 1.0, crossed(-4, 9)}, "points"),
      AllOf(HasSubstr("no difference shown between a and b: +4.17 points (paired t-test over "
                      "seeds: no interval, for all n = 2 pairs differ by as much; sign test: "
                      "p = 0.5, p = 1 after Holm; seeds and test groups"),
            Not(HasSubstr("+4.17 to"))));
  EXPECT_THAT(verdict("a", "b", {{0, 0, 0}, 1.0, crossed(-0.001, 0.001)}, "points"),
              AllOf(HasSubstr(": 0.00 points (paired t-test over seeds: nothing to test, for all "
                              "n = 3 pairs are equal; seeds"),
                    HasSubstr("95 % interval 0.00 to 0.00"), Not(HasSubstr("p ="))));
  EXPECT_THAT(verdict("a", "b", {{-0.001, 0.0}}, "points"),
              AllOf(HasSubstr(": 0.00 points"), Not(HasSubstr("-0.00"))));
}

TEST(Statistics, SaysInTheSentenceThatOneTeacherTaughtAllSeeds) {
  EXPECT_THAT(verdict("taught", "labels", {kClear, std::nullopt, crossed(1, 4), true}, "points"),
              HasSubstr("taught is better than labels with this one teacher: +2.50"));
  EXPECT_THAT(verdict("taught", "labels", {kClear, std::nullopt, crossed(-1, 4), true}, "points"),
              HasSubstr("taught is ahead of labels on this test set with this one teacher; not "
                        "shown for other videos"));
  EXPECT_THAT(verdict("taught", "labels", {kVague, std::nullopt, crossed(-1, 4), true}, "points"),
              HasSubstr("no difference shown between taught and labels with this one teacher"));
}

TEST(Statistics, SaysAheadByChanceOnceInTwenty) {
  Random random(11);
  int found = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> differences(6);
    for (double& d : differences) d = random.normal();
    found += shown({differences}) != Shown::nowhere;
  }
  EXPECT_NEAR(found / 4000.0, 0.05, 0.012);
}

TEST(Statistics, DoesNotTakeTheLeaningOfATestSetForAFinding) {
  // No arm is better: each of 24 groups leans to one by chance, alike for every seed, and seeds
  // scatter a little.
  Random random(12);
  std::vector<std::string> group(24);
  for (size_t g = 0; g < group.size(); ++g) group[g] = std::to_string(g);
  int by_seeds = 0;
  int by_both = 0;
  for (int experiment = 0; experiment < 300; ++experiment) {
    std::vector<double> leaning(group.size()), means;
    for (double& lean : leaning) lean = random.normal();
    std::vector<std::vector<double>> difference(8, leaning);
    for (auto& seed : difference) {
      const double shift = 0.1 * random.normal();
      for (double& d : seed) d += shift;
      means.push_back(std::accumulate(seed.begin(), seed.end(), 0.0) /
                      static_cast<double>(seed.size()));
    }
    const Evidence evidence{
        means, std::nullopt,
        crossed_bootstrap(difference, group,
                          random.stream("draws", static_cast<uint64_t>(experiment)), 1000)};
    by_seeds += shown(evidence) != Shown::nowhere;
    by_both += shown(evidence) == Shown::other_groups;
  }
  EXPECT_GT(by_seeds, 150);  // the t-test over seeds alone finds something more often than not
  EXPECT_LT(by_both, 30);    // 5 % of 300 are 15
}

}  // namespace
}  // namespace distal
