#include "distal/report/summary.h"

#include <cmath>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

Trial trial(const std::string& arm, int64_t seed, bool control,
            const std::vector<double>& accuracies) {
  Trial out{arm, seed, control, {}};
  for (size_t r = 0; r < accuracies.size(); ++r) {
    RoundResult round;
    round.round = static_cast<int64_t>(r);
    round.answers = 10 + 20 * round.round;
    round.watched_s = 100.0 * static_cast<double>(r + 1);
    round.metrics.accuracy = accuracies[r];
    round.metrics.confusion = {{3, 1}, {2, 4}};
    for (int64_t clip = 0; clip < 100; ++clip)
      round.metrics.correct.push_back(clip < std::lround(100 * accuracies[r]));
    out.rounds.push_back(round);
  }
  return out;
}

/// Groups of the 100 test clips: two arms that differ in 10 clips in a row differ in 10 of 20
/// groups.
std::vector<std::string> twenty_groups() {
  std::vector<std::string> groups;
  for (int64_t clip = 0; clip < 100; ++clip) groups.push_back(fmt::format("video {}", clip % 20));
  return groups;
}

Results three_seeds() {
  Results results;
  results.test_groups = twenty_groups();
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double shift = 0.01 * static_cast<double>(seed);
    results.trials.push_back(trial("random", seed, true, {0.3 + shift, 0.4 + shift, 0.5 + shift}));
    results.trials.push_back(
        trial("badge", seed, false, {0.3 + shift, 0.5 + shift, 0.6 + 1.1 * shift}));
  }
  return results;
}

TEST(Summary, GroupsCellsAndFindsControlAndBest) {
  Results results = three_seeds();
  results.trials.push_back(trial("unfinished", 0, false, {}));
  const Summary summary(results);
  ASSERT_THAT(summary.arms, SizeIs(3));
  EXPECT_EQ(summary.control->name, "random");
  EXPECT_EQ(summary.best->name, "badge");
  EXPECT_FALSE(summary.arms[2].ran());
  EXPECT_EQ(summary.rounds, 3);
  EXPECT_EQ(summary.arms[1].style.name(), "s0");
}

TEST(Summary, PairsBySeedAlsoWhereOneIsMissing) {
  Results results = three_seeds();
  results.trials.erase(results.trials.begin());  // random, seed 0
  const Summary summary(results);
  ASSERT_THAT(summary.comparisons, SizeIs(1));
  EXPECT_THAT(summary.comparisons[0].differences,
              ElementsAre(DoubleNear(0.101, 1e-12), DoubleNear(0.102, 1e-12)));
}

TEST(Summary, TestsAnArmAgainstTheTwinItNames) {
  Results results;
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double shift = 0.01 * static_cast<double>(seed);
    results.trials.push_back(trial("few", seed, true, {0.3 + shift}));
    results.trials.push_back(trial("many", seed, false, {0.6 + shift}));
    results.trials.push_back(trial("taught many", seed, false, {0.6 + 2.5 * shift}));
    results.trials.back().against = "many";
  }
  const Summary summary(results);
  ASSERT_THAT(summary.comparisons, SizeIs(2));
  EXPECT_EQ(summary.comparisons[0].against->name, "few");
  EXPECT_EQ(summary.comparisons[1].against->name, "many");
  EXPECT_THAT(summary.comparisons[1].differences,
              ElementsAre(DoubleNear(0, 1e-12), DoubleNear(0.015, 1e-12), DoubleNear(0.03, 1e-12)));
  EXPECT_EQ(summary.twin(), "its twin");
  EXPECT_THAT(answer(summary).at(0), HasSubstr("many"));
}

TEST(Summary, OfManyTwinsSpellsOutTheBestAndWhatIsShown) {
  Results results;
  results.test_groups = twenty_groups();
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double shift = 0.01 * static_cast<double>(seed);
    const double noise = 0.1 * static_cast<double>(seed == 1);
    for (int64_t point = 0; point < 7; ++point) {
      const double gain =
          point == 3 ? 0.3 + 0.1 * shift : noise * static_cast<double>(point == 6 ? -1 : 1);
      results.trials.push_back(
          trial(fmt::format("random {}", point), seed, point == 0, {0.3 + shift, 0.3 + shift}));
      results.trials.push_back(
          trial(fmt::format("badge {}", point), seed, false, {0.3 + shift, 0.3 + shift + gain}));
      results.trials.back().against = fmt::format("random {}", point);
    }
  }
  const auto said = answer(Summary(results));
  EXPECT_THAT(said.at(0), HasSubstr("badge 3 is better than random 3"));
  EXPECT_THAT(said.at(1), HasSubstr("by -3.3 to +3.3 points: 5 arms."));
  EXPECT_THAT(said.back(),
              HasSubstr("random 3 never"));  // not random 0, the control of the whole report
}

TEST(Summary, SaysWhereComparedArmsDidNotSpendTheSame) {
  Results results = three_seeds();
  EXPECT_THAT(answer(Summary(results)).at(0), Not(HasSubstr("did not spend")));
  for (auto& c : results.trials) {
    if (c.arm == "badge") c.rounds.back().answers = 80;
  }
  EXPECT_THAT(answer(Summary(results)).at(0),
              HasSubstr("They did not spend the same: 80 and 50 answers."));
}

TEST(Summary, CorrectsForTheNumberOfArms) {
  Results results = three_seeds();
  for (int64_t seed = 0; seed < 3; ++seed)
    results.trials.push_back(
        trial("noise", seed, false, {0.3, 0.4, 0.5 + 0.02 * static_cast<double>(seed == 1)}));
  const Summary summary(results);
  ASSERT_THAT(summary.comparisons, SizeIs(2));
  EXPECT_NEAR(summary.comparisons[0].p_holm, 2 * summary.comparisons[0].p, 1e-12);
  EXPECT_EQ(summary.comparisons[0].shown(), Shown::other_groups);
  EXPECT_EQ(summary.comparisons[1].shown(), Shown::nowhere);
  EXPECT_THAT(answer(summary).at(0), HasSubstr("badge is better than random"));
  EXPECT_THAT(answer(summary).at(1), HasSubstr("Not shown to differ from random: noise."));
}

TEST(Summary, OtherArmsAreNamedInWholeSentences) {
  Results results = three_seeds();
  for (int64_t seed = 0; seed < 3; ++seed)
    results.trials.push_back(
        trial("margin", seed, false, {0.3, 0.5, 0.59 + 0.0101 * static_cast<double>(seed)}));
  EXPECT_THAT(answer(Summary(results)),
              ::testing::Contains(std::string("Better than random as well: margin.")));
}

TEST(Summary, TheAreaIsTheMeanAccuracyOverTheBudget) {
  const Results results = three_seeds();
  const Summary summary(results);
  EXPECT_THAT(
      areas(summary, summary.arms[0]),
      ElementsAre(DoubleNear(0.4, 1e-12), DoubleNear(0.41, 1e-12), DoubleNear(0.42, 1e-12)));
}

TEST(Summary, ReadsTheBudgetToATargetOffTheMeanCurve) {
  Results results = three_seeds();
  {
    const Summary summary(
        results);  // random on average: 0.31 at 10, 0.41 at 30, 0.51 at 50 answers
    EXPECT_NEAR(budget_of_mean(summary, summary.arms[0], 0.46), 40, 1e-9);
    EXPECT_TRUE(std::isinf(budget_of_mean(summary, summary.arms[0], 0.9)));
  }
  results.budget_unit = "seconds";
  const Summary summary(results);
  EXPECT_NEAR(budget_of_mean(summary, summary.arms[0], 0.46), 250, 1e-9);
}

TEST(Summary, OneSeedHasNoInterval) {
  const Estimate one = estimate({0.5});
  EXPECT_EQ(one.mean, 0.5);
  EXPECT_TRUE(std::isnan(one.low));
  EXPECT_TRUE(std::isnan(estimate({}).mean));
  EXPECT_EQ(estimate({0.5, NAN, 0.7}).seeds, 2);
  EXPECT_LT(estimate({0.1, 0.9}).low, 0);
  EXPECT_EQ(estimate_share({0.1, 0.9}).low, 0);
  EXPECT_EQ(estimate_share({0.1, 0.9}).high, 1);
  EXPECT_EQ(estimate_share({0.5, 0.51}).low, estimate({0.5, 0.51}).low);
  EXPECT_TRUE(std::isnan(estimate_share({0.5}).low));
}

TEST(Summary, SumsConfusionOverSeedsAndRefusesDifferentSizes) {
  Results results = three_seeds();
  {
    const Summary summary(results);
    EXPECT_EQ(confusion(summary.arms[0]), (std::vector<std::vector<int64_t>>{{9, 3}, {6, 12}}));
  }
  results.trials[0].rounds.back().metrics.confusion = {{1}};
  const Summary summary(results);
  EXPECT_TRUE(confusion(summary.arms[0]).empty());
}

TEST(Summary, ADifferenceOfOneTestGroupIsNoneOfOtherVideos) {
  Results results = three_seeds();
  for (size_t clip = 40; clip < 80; ++clip)
    results.test_groups[clip] = "one long video";  // in which badge and random differ
  const Summary summary(results);
  EXPECT_EQ(summary.comparisons[0].finding(), "ahead on this test set");
  EXPECT_EQ(summary.comparisons[0].crossed->interval.low, 0);
  EXPECT_THAT(answer(summary).at(0),
              HasSubstr("badge is ahead of random on this test set; not shown for other test "
                        "groups: +10.10 accuracy points"));
  for (const auto& sentence : answer(summary)) EXPECT_THAT(sentence, Not(HasSubstr("better")));
}

TEST(Summary, ArmsAheadOnThisTestSetAloneAreNamedApart) {
  Results results = three_seeds();
  for (size_t clip = 40; clip < 80; ++clip) results.test_groups[clip] = "one long video";
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double shift = 0.01 * static_cast<double>(seed);
    results.trials.push_back(trial("margin", seed, false, {0.3, 0.5, 0.59 + 1.01 * shift}));
    results.trials.push_back(trial("entropy", seed, false, {0.3, 0.5, 0.42 + 1.01 * shift}));
  }
  EXPECT_THAT(answer(Summary(results)).at(1),
              HasSubstr("On this test set alone ahead of random: margin. On this test set alone "
                        "behind random: entropy."));
}

TEST(Summary, TheOneTeacherOfAllSeedsIsSaidInTheSentence) {
  Results results = three_seeds();
  EXPECT_THAT(answer(Summary(results)).at(0), Not(HasSubstr("teacher")));
  for (auto& c : results.trials) c.taught = c.arm == "badge";
  EXPECT_THAT(answer(Summary(results)).at(0),
              HasSubstr("badge is better than random with this one teacher: "));
  for (int64_t seed = 0; seed < 3; ++seed)
    results.trials.push_back(
        trial("margin", seed, false, {0.3, 0.5, 0.59 + 0.0101 * static_cast<double>(seed)}));
  EXPECT_THAT(answer(Summary(results)),
              ::testing::Contains(std::string("Better than random as well: margin.")));
  results.trials.back().taught = true;
  EXPECT_THAT(answer(Summary(results)),
              ::testing::Contains(
                  std::string("Better than random as well, with this one teacher: margin.")));
}

TEST(Summary, ATeacherIsSaidOfThoseArmsAloneThatHeardIt) {
  Results results = three_seeds();
  for (int64_t seed = 0; seed < 3; ++seed) {
    const double shift = 0.0101 * static_cast<double>(seed);
    results.trials.push_back(trial("smoothing", seed, false, {0.3, 0.5, 0.59 + shift}));
    results.trials.push_back(trial("taught", seed, false, {0.3, 0.5, 0.58 + shift}));
    results.trials.back().taught = true;
  }
  EXPECT_THAT(answer(Summary(results)).at(1),
              HasSubstr("Better than random as well: smoothing. Better than random as well, with "
                        "this one teacher: taught."));
}

TEST(Summary, SaysWhichPartOfTheProofIsMissing) {
  Results results = three_seeds();
  results.test_groups.assign(100, "the only operation");
  EXPECT_THAT(
      answer(Summary(results)).at(0),
      HasSubstr("badge is ahead of random on this test set; not shown for other test groups"));
  EXPECT_THAT(answer(Summary(results)).at(0), HasSubstr("all test clips are of one group"));
  results.test_groups.clear();
  EXPECT_THAT(answer(Summary(results)).at(0),
              HasSubstr("which test clips were right is not known"));
}

TEST(Summary, ResamplesSeedsAndGroupsWhereTheListsFit) {
  Results results = three_seeds();
  for (auto& c : results.trials)
    c.rounds.back().metrics.correct =
        c.arm == "badge" ? std::vector<uint8_t>{1, 1, 1, 0} : std::vector<uint8_t>{1, 0, 1, 0};
  results.test_groups = {"a", "a", "b", "c"};
  {
    const Summary summary(results);
    const Crossed& crossed = *summary.comparisons[0].crossed;
    EXPECT_NEAR(crossed.difference, 0.25, 1e-12);
    EXPECT_EQ(crossed.groups, 3);
    EXPECT_EQ(crossed.interval.low, 0);     // a is not drawn: 8 of 27
    EXPECT_EQ(crossed.interval.high, 0.5);  // drawn thrice: 1 of 27
  }
  results.test_groups.pop_back();
  EXPECT_FALSE(Summary(results).comparisons[0].crossed);
}

TEST(Summary, TheAnswerNamesWhatIsMissing) {
  EXPECT_THAT(answer(Summary(Results{})).at(0), HasSubstr("Nothing was measured"));
  Results alone;
  alone.trials = {trial("only", 0, true, {0.4})};
  EXPECT_THAT(answer(Summary(alone)).at(0), HasSubstr("only arm"));
  Results free = three_seeds();
  for (auto& c : free.trials) c.control = false;
  EXPECT_THAT(answer(Summary(free)).at(0), HasSubstr("no control arm"));
  Results apart;
  apart.trials = {trial("random", 0, true, {0.4}), trial("badge", 1, false, {0.5})};
  EXPECT_THAT(answer(Summary(apart)).at(0), HasSubstr("shares no seed"));
}

}  // namespace
}  // namespace distal
