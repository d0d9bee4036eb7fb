#include "distal/report/curves.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/evaluation/statistics.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kNever = std::numeric_limits<double>::infinity();

double mean(const Thirds& t) { return (t.low + t.medium + t.high) / 3; }

/// A run that had bought 10, 20, 30, ... answers and watched ten seconds for each.
Trial trial(const std::string& arm, int64_t seed, bool control,
            const std::vector<double>& accuracies) {
  Trial out{arm, seed, control, {}};
  for (const double value : accuracies) {
    RoundResult round;
    round.round = std::ssize(out.rounds);
    round.answers = 10 + 10 * round.round;
    round.watched_s = 10.0 * static_cast<double>(round.answers);
    round.metrics.accuracy = value;
    for (int64_t clip = 0; clip < 1000; ++clip)
      round.metrics.correct.push_back(clip < std::lround(1000 * value));
    out.rounds.push_back(round);
  }
  return out;
}

/// The seeds differ by far more than the arms: only pairs can tell the arms apart. All begin alike;
/// good is best, then fair.
Results three_arms(int64_t seeds = 4) {
  Results results;
  for (int64_t clip = 0; clip < 1000; ++clip)
    results.test_groups.push_back(std::to_string(clip % 50));
  for (int64_t seed = 0; seed < seeds; ++seed) {
    const double level = 0.2 * static_cast<double>(seed);
    const double jitter = seed % 2 == 0 ? 0.001 : -0.001;
    results.trials.push_back(trial("plain", seed, true, {level, level + 0.02, level + 0.04}));
    results.trials.push_back(
        trial("fair", seed, false, {level, level + 0.02 + jitter, level + 0.09 + jitter}));
    results.trials.push_back(
        trial("good", seed, false, {level, level + 0.12 - jitter, level + 0.14 - jitter}));
  }
  return results;
}

std::optional<nlohmann::json> published() {
  const char* set = std::getenv("DISTAL_PARITY_DIR");
  const auto folder =
      set ? std::filesystem::path(set)
          : std::filesystem::path(DISTAL_SOURCE_DIR) / ".." / "shared" / "reference" / "parity";
  std::ifstream file(folder / "losses_and_strategies.json");
  if (!file) return std::nullopt;
  const auto all = nlohmann::json::parse(file);
  for (const auto& table : all.at("tables")) {
    if (table.at("name") == "AUBC") return table;
  }
  ADD_FAILURE() << folder << ": no table AUBC";
  return std::nullopt;
}

TEST(Curves, AreasAreThePublishedOnesAndThirdsAreTheirParts) {
  const auto table = published();
  if (!table) GTEST_SKIP() << "DISTAL_PARITY_DIR: no losses_and_strategies.json there";
  const auto y = table->at("performance").get<std::vector<double>>();
  const auto x = table->at("x").get<std::vector<double>>();
  const auto expected = [&](const char* name) {
    return table->at("expected").at(name).get<double>();
  };
  EXPECT_NEAR(aubc(y), expected("default"), 1e-10);
  EXPECT_NEAR(aubc(y) * static_cast<double>(y.size() - 1), expected("dx_1"), 1e-10);
  EXPECT_NEAR(aubc(y, x), expected("with_x"), 1e-10);  // not divided by the range, as published
  EXPECT_NEAR(aubc(y, x) / (x.back() - x.front()), expected("with_x_divided_by_range"), 1e-10);
  EXPECT_NEAR(mean(aubc_thirds(y)), expected("default"), 1e-10);
  EXPECT_NEAR(mean(aubc_thirds(y, x)), expected("with_x_divided_by_range"), 1e-10);
  EXPECT_NEAR(mean_between(y, x, x.front(), x.back()), expected("with_x_divided_by_range"), 1e-10);
}

TEST(Curves, MeansAreTakenOverPartsThatCutTheLines) {
  const std::vector<double> x = {0, 1, 3};
  const std::vector<double> y = {0, 1, 0};
  EXPECT_DOUBLE_EQ(mean_between(y, x, 0, 3), 0.5);
  EXPECT_DOUBLE_EQ(mean_between(y, x, 0.5, 2), 0.75);   // (0.5 * 0.75 + 1 * 0.75) / 1.5
  EXPECT_DOUBLE_EQ(mean_between(y, x, 1.5, 2.5), 0.5);  // within one line
  EXPECT_DOUBLE_EQ(mean_between({0, 0.4, 0.8, 0.8}, {1, 2, 2, 3}, 1, 3),
                   0.5);  // a step: a round that could ask nothing
  EXPECT_THROW(mean_between(y, x, -1, 2), std::logic_error);
  EXPECT_THROW(mean_between(y, x, 2, 3.5), std::logic_error);
  EXPECT_THROW(mean_between(y, x, 1, 1), std::logic_error);
  EXPECT_THROW(mean_between(y, {0, 3, 1}, 0, 1), std::logic_error);
  EXPECT_THROW(mean_between(y, {0, 1}, 0, 1), std::logic_error);
}

TEST(Curves, ThirdsTellCurvesApartThatHaveOneArea) {
  const auto is = [](const Thirds& t, double low, double medium, double high) {
    EXPECT_NEAR(t.low, low, 1e-12);
    EXPECT_NEAR(t.medium, medium, 1e-12);
    EXPECT_NEAR(t.high, high, 1e-12);
  };
  const std::vector<double> early = {0.2, 0.8, 0.8, 0.8};
  const std::vector<double> late = {0.5, 0.5, 0.8, 1.1};
  EXPECT_NEAR(aubc(early), aubc(late), 1e-12);
  is(aubc_thirds(early), 0.5, 0.8, 0.8);
  is(aubc_thirds(late), 0.5, 0.65, 0.95);
  is(aubc_thirds({0, 1}), 1.0 / 6, 0.5, 5.0 / 6);  // the cuts lie between the points
  is(aubc_thirds({0.4, 0.6, 0.7}, {10, 20, 40}), 0.5, 0.625, 0.675);
  is(aubc_thirds({0.4, 0.6, 0.7}), (0.4 + 1.6 / 3) / 2, (1.6 / 3 + 0.6 + 0.6 + 1.9 / 3) / 4,
     (1.9 / 3 + 0.7) / 2);
  is(aubc_thirds({0.3}), 0.3, 0.3, 0.3);
  EXPECT_THROW(aubc_thirds({0.3}, {10}), std::logic_error);
  EXPECT_THROW(aubc_thirds({}), std::logic_error);
}

TEST(Curves, LeavesOutRoundsThatAreNoPointOfACurve) {
  Results results;
  results.trials = {trial("plain", 0, true, {0.1, kNan, 0.3, 0.4, 0.5})};
  results.trials[0].rounds[3].answers = 29;  // less than the 30 before
  const Summary summary(results);
  const BudgetCurve curve = budget_curve(summary, results.trials[0]);
  EXPECT_THAT(curve.spent, ElementsAre(10, 30, 50));
  EXPECT_THAT(curve.accuracy, ElementsAre(0.1, 0.3, 0.5));
  EXPECT_TRUE(curve.has_width());
  EXPECT_FALSE(BudgetCurve{}.has_width());
  EXPECT_FALSE((BudgetCurve{{10, 10}, {0.1, 0.2}}.has_width()));
}

TEST(Curves, SavesTheShareOfTheControlsBudget) {
  EXPECT_DOUBLE_EQ(*saved_share(30, 40), 0.25);
  EXPECT_DOUBLE_EQ(*saved_share(50, 40), -0.25);
  EXPECT_DOUBLE_EQ(*saved_share(40, 40), 0);
  EXPECT_FALSE(saved_share(kNever, 40));
  EXPECT_FALSE(saved_share(30, kNever));
  EXPECT_FALSE(saved_share(0, 0));
  const Results results =
      three_arms();  // mean curves: plain .30 .32 .34, good .30 .42 .44 at 10, 20 and 30 answers
  const Summary summary(results);
  const auto needed = [&](size_t arm) { return budget_of_mean(summary, summary.arms[arm], 0.33); };
  EXPECT_NEAR(*saved_share(needed(2), needed(0)), 1 - 12.5 / 25, 1e-9);
}

TEST(Curves, ComparesAreasSeedBySeed) {
  const Results results = three_arms();
  const Summary summary(results);
  const auto all = compare_areas(summary);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[1].arm->name, "good");
  EXPECT_EQ(all[1].against->name, "plain");
  // x from 10 to 30: (0 + 2 (0.1 -+ 0.001) + (0.1 -+ 0.001)) / 4
  const auto even = DoubleNear(0.07425, 1e-12);
  const auto odd = DoubleNear(0.07575, 1e-12);
  EXPECT_THAT(all[1].differences, ElementsAre(even, odd, even, odd));
  EXPECT_NEAR(all[0].difference.mean, 0.0125, 1e-12);
  EXPECT_EQ(all[1].shown(), Shown::other_groups);
  EXPECT_NEAR(all[1].crossed->difference, all[1].difference.mean,
              1e-12);  // clip by clip: the same area
  EXPECT_NEAR(all[1].crossed->interval.low, 0.075,
              0.003);  // every group has 20 clips, and two of them differ
  EXPECT_EQ(all[1].crossed->groups, 50);
  const auto corrected = holm({all[0].p, all[1].p});
  EXPECT_DOUBLE_EQ(all[0].p_holm, corrected[0]);
  EXPECT_DOUBLE_EQ(all[1].p_holm, corrected[1]);
}

TEST(Curves, AnAreaGainedInOneTestGroupIsNotShownForOthers) {
  Results results = three_arms();
  for (auto& name : results.test_groups) name = "the rest";
  for (size_t group = 0; group < 20; ++group)
    results.test_groups[980 + group] = std::to_string(group);
  const Summary summary(results);
  EXPECT_EQ(compare_areas(summary)[1].finding(), "ahead on this test set");
  for (auto& trial : results.trials) trial.rounds[1].metrics.correct.pop_back();
  EXPECT_FALSE(compare_areas(Summary(results))[1].crossed) << "a round whose list does not fit";
}

TEST(Curves, ComparesAreasOverTheBudgetsBothPassedThrough) {
  Results results;
  for (int64_t seed = 0; seed < 2; ++seed) {
    results.trials.push_back(trial("plain", seed, true, {0.2, 0.4, 0.6, 0.8}));
    results.trials.push_back(
        trial("late", seed, false, {0.5, 0.7}));  // shifted: at 20 and 40 answers
    results.trials.back().rounds[0].answers = 20;
    results.trials.back().rounds[1].answers = 40;
    results.trials.push_back(trial("apart", seed, false, {0.5, 0.7}));
    results.trials.back().rounds[0].answers = 50;
    results.trials.back().rounds[1].answers = 60;
    results.trials.push_back(trial("point", seed, false, {0.9}));
  }
  const Summary summary(results);
  const auto all = compare_areas(summary);
  ASSERT_THAT(all, SizeIs(1));  // the others share no range with the control
  EXPECT_EQ(all[0].arm->name, "late");
  EXPECT_THAT(
      all[0].differences,
      ElementsAre(DoubleNear(0, 1e-12),
                  DoubleNear(0, 1e-12)));  // 0.6 for both; over its whole range plain has 0.5
}

TEST(Curves, CountsInTheRowTheRoundsAnArmWon) {
  const Results results = three_arms();
  const Summary summary(results);
  const auto matrix = penalties(summary);  // plain, fair, good
  EXPECT_NEAR(matrix[2][0], 2.0 / 3, 1e-12);
  EXPECT_EQ(matrix[0][2], 0);
  EXPECT_NEAR(matrix[2][1], 2.0 / 3, 1e-12);
  EXPECT_NEAR(matrix[1][0], 1.0 / 3, 1e-12);  // the second round differs by jitter alone
  EXPECT_EQ(matrix[0][1], 0);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(matrix[i][i]));
}

TEST(Curves, PairsPenaltiesBySeedWhereSomeAreMissing) {
  Results results = three_arms(5);
  results.trials.erase(
      results.trials
          .begin());  // plain, seed 0: in order of appearance every pair would now be wrong
  results.trials.erase(results.trials.begin() + 4);  // good, seed 1
  const Summary summary(results);
  ASSERT_EQ(summary.arms[0].name, "fair");
  EXPECT_THAT(summary.arms, SizeIs(3));
  const auto matrix = penalties(summary);  // fair, good, plain
  EXPECT_NEAR(matrix[1][2], 2.0 / 3, 1e-12);
  EXPECT_NEAR(matrix[1][0], 2.0 / 3, 1e-12);
  EXPECT_EQ(matrix[2][1], 0);
}

TEST(Curves, HasNoPenaltyWhereArmsCannotBeCompared) {
  const auto over_plain = [](const Results& results) {
    const Summary summary(results);
    return penalties(summary)[2][0];
  };
  EXPECT_TRUE(std::isnan(over_plain(three_arms(1))));
  EXPECT_FALSE(std::isnan(over_plain(three_arms(2))));

  Results results = three_arms();
  for (auto& c : results.trials) {
    if (c.arm == "good" && c.seed > 0) c.rounds[1].metrics.accuracy = kNan;
  }
  EXPECT_TRUE(std::isnan(over_plain(results)));  // one seed is left

  results = three_arms();
  for (auto& c : results.trials) {
    if (c.arm == "good") c.rounds[1].answers = 29;
  }
  EXPECT_NEAR(over_plain(results), 0.5, 1e-12);  // the first and the last round remain
  for (auto& c : results.trials) {
    if (c.arm == "good") c.rounds[2].answers = 60;
  }
  EXPECT_TRUE(std::isnan(over_plain(results)));  // the first alone
}

TEST(Curves, KeepsWhatNothingCheaperMatches) {
  const auto row = [](double right, double answers, double seconds, double wall_s) {
    return Outcome{nullptr, 0, right, answers, seconds, wall_s};
  };
  const std::vector<Outcome> rows = {
      row(0.5, 10, 100, 7),   row(0.5, 10, 100, 8),   // beaten by the first in time alone
      row(0.5, 11, 90, 7),                            // watched less
      row(0.6, 20, 200, 9),   row(0.59, 20, 200, 9),  // beaten in accuracy alone
      row(0.6, 20, 200, 9),                           // equal to the fourth
      row(0.4, 9, 300, 9),                            // fewest answers
      row(0.6, 20, 200, 8.9), row(kNan, 1, 1, 1),    row(0.9, kNan, 1, 1), row(0.9, 1, 1, -kNever)};
  EXPECT_THAT(pareto_front(rows), ElementsAre(0U, 2U, 6U, 7U));
  EXPECT_THAT(pareto_front({rows[3], rows[5]}), ElementsAre(0U, 1U));
  EXPECT_THAT(pareto_front({}), IsEmpty());
}

TEST(Curves, ChargesEveryArmForTheStudentTheyShare) {
  Results results;
  for (const char* arm : {"plain", "good", "other"}) {
    results.trials.push_back(trial(arm, 3, std::string(arm) == "plain", {0.4, 0.5}));
    auto& rounds = results.trials.back().rounds;
    for (auto& round : rounds) round.metrics.nll = 1;
    rounds[0].train_s = std::string(arm) == "plain" ? 60 : 0.5;  // whoever comes first trains it
    rounds[1].train_s = 70;
    rounds[1].score_s = 1;
    rounds[1].select_s = 2;
    rounds[1].ask_s = 3;
    rounds[1].evaluate_s = 4;
  }
  results.trials[2].rounds[0].metrics.nll = 1.25;  // another student, which did take half a second
  const Summary summary(results);
  const auto all = outcomes(summary);
  ASSERT_THAT(all, SizeIs(6));
  EXPECT_EQ(all[2].arm->name, "good");
  EXPECT_EQ(all[2].round, 0);
  EXPECT_DOUBLE_EQ(all[0].wall_s, 60);
  EXPECT_DOUBLE_EQ(all[2].wall_s, 60);
  EXPECT_DOUBLE_EQ(all[3].wall_s, 60 + 80);
  EXPECT_DOUBLE_EQ(all[4].wall_s, 0.5);
  EXPECT_DOUBLE_EQ(all[3].accuracy, 0.5);
  EXPECT_DOUBLE_EQ(all[3].answers, 20);
  EXPECT_DOUBLE_EQ(all[3].watched_s, 200);
}

TEST(Curves, TheWholeTimeOfAnArmIsOfTheLastRoundOfEachSeed) {
  Results results;
  results.trials.push_back(trial("plain", 1, true, {0.4, 0.5, 0.6}));
  results.trials.push_back(trial("plain", 2, true, {0.4, 0.5}));  // was stopped
  for (Trial& one : results.trials) {
    for (auto& round : one.rounds) round.train_s = 10;
    one.rounds[0].metrics.nll = static_cast<double>(one.seed);  // students of their own
  }
  const Summary summary(results);
  EXPECT_DOUBLE_EQ(whole_wall_s(summary, summary.arms.front()), (30 + 20) / 2.0);
}

}  // namespace
}  // namespace distal
