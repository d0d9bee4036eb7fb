#include "distal/evaluation/proportions.h"

#include <gmock/gmock.h>

namespace distal {
namespace {

// scipy 1.17.1: scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson"), "exact"
struct Known {
  int64_t successes, trials;
  Interval wilson, exact;
};
constexpr Known kKnown[] = {
    {0, 10, {0, 0.27753279986288926}, {0, 0.30849710781876294}},
    {10, 10, {0.7224672001371109, 1}, {0.6915028921812371, 1}},
    {7, 10, {0.39677814746114526, 0.892208732593699}, {0.3475471499399921, 0.9332604888222655}},
    {81,
     263,
     {0.2552885198782742, 0.36620957698280004},
     {0.25273674558504267, 0.36762192260134746}},
    {1, 1, {0.20654931437723745, 1}, {0.025, 1}},
};

TEST(Proportions, HaveTheIntervalsOfScipy) {
  for (const Known& known : kKnown) {
    const Interval score = wilson(known.successes, known.trials);
    EXPECT_NEAR(score.low, known.wilson.low, 1e-12);
    EXPECT_NEAR(score.high, known.wilson.high, 1e-12);
    const Interval exact = clopper_pearson(known.successes, known.trials);
    EXPECT_NEAR(exact.low, known.exact.low, 1e-12);
    EXPECT_NEAR(exact.high, known.exact.high, 1e-12);
  }
}

TEST(Proportions, SayNothingWithoutTrialsAndRefuseWhatIsNoCount) {
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
  EXPECT_EQ(clopper_pearson(0, 0).high, 1);
  EXPECT_THROW(wilson(3, 2), std::logic_error);
  EXPECT_THROW(clopper_pearson(-1, 2), std::logic_error);
}

TEST(Proportions, HaveMcNemarsExactProbabilityOfScipy) {
  // scipy 1.17.1: scipy.stats.binomtest(a, a + b, 0.5).pvalue
  EXPECT_EQ(mcnemar_exact_p(0, 0), 1);
  EXPECT_EQ(mcnemar_exact_p(1, 0), 1);
  EXPECT_EQ(mcnemar_exact_p(6, 6), 1);
  EXPECT_EQ(mcnemar_exact_p(12, 13), 1);
  EXPECT_NEAR(mcnemar_exact_p(5, 15), 0.04138946533203125, 1e-14);
  EXPECT_NEAR(mcnemar_exact_p(40, 11), 5.703811637403078e-05, 1e-16);
  EXPECT_EQ(mcnemar_exact_p(11, 40), mcnemar_exact_p(40, 11));
}

}  // namespace
}  // namespace distal
