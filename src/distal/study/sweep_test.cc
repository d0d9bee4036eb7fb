#include "distal/study/sweep.h"

#include "distal/base/progress.h"
#include "distal/study/dataset.h"
#include "distal/study/plan.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Study read(const std::string& more) {
  return read_study(
      Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\nstart: 4\n" + more, "r.yaml"),
      "r");
}

std::vector<std::string> names(const Study& study) {
  std::vector<std::string> names;
  for (const Arm& arm : study.arms) names.push_back(arm.name);
  return names;
}

TEST(Sweep, EveryArmAtEveryPointAgainstTheControlOfThatPoint) {
  const Study grid = read("sweep: {pool: [50, 100], rounds: [1, 4], answers: [20]}\narms: {margin: "
                          "{strategy: margin}, random: {strategy: random}}");
  EXPECT_THAT(
      names(grid),
      ElementsAre(
          "margin, pool 50, rounds 1, answers 20", "random, pool 50, rounds 1, answers 20",
          "margin, pool 50, rounds 4, answers 20", "random, pool 50, rounds 4, answers 20",
          "margin, pool 100, rounds 1, answers 20", "random, pool 100, rounds 1, answers 20",
          "margin, pool 100, rounds 4, answers 20", "random, pool 100, rounds 4, answers 20"));
  EXPECT_EQ(grid.arms[2].against, "random, pool 50, rounds 4, answers 20");
  EXPECT_EQ(grid.arms[3].against, "");
  EXPECT_EQ(grid.arms[0].options.budget, 20);
  EXPECT_EQ(grid.arms[2].options.budget, 5);
  EXPECT_EQ(grid.arms[2].options.pool_size, 50);
  EXPECT_EQ(grid.arms[6].options.rounds, 4);
}

TEST(Sweep, ARandomArmIsAddedAtEveryPoint) {
  EXPECT_THAT(
      names(read("strategy: badge\nrounds: 2\nsweep: {pool: [50, 60]}")),
      ElementsAre("badge, pool 50", "random, pool 50", "badge, pool 60", "random, pool 60"));
  EXPECT_THAT(names(read("strategy: badge\nno_random_arm: a reason\nsweep: {pool: [50]}")),
              ElementsAre("badge, pool 50"));
}

TEST(Sweep, AnArmIsRandomByWhatItDoesNotByItsName) {
  const Study mixes =
      read("oracle: {kind: model, path: m}\nmixes: {criterion: c2}\nsweep: {answers: [96]}");
  EXPECT_THAT(names(mixes), ElementsAre("c2, answers 96", "random, answers 96"));
  EXPECT_EQ(mixes.arms[0].against, "random, answers 96");
  EXPECT_EQ(mixes.arms[1].options.mixes->criterion, "random");
  const Study named =
      read("sweep: {pool: [50]}\narms: {margin: {strategy: margin}, chance: {strategy: random}}");
  EXPECT_THAT(names(named), ElementsAre("margin, pool 50", "chance, pool 50"));
  EXPECT_EQ(named.arms[0].against, "chance, pool 50");
  EXPECT_EQ(
      read("strategy: entropy\nselection: {fill: knapsack, unit: seconds}\nsweep: {pool: [50]}")
          .arms[1]
          .options.selection.fill,
      "rank");
}

TEST(Sweep, APoolSizeTooSmallForTheRoundsIsRefusedByPlanAndRunAlike) {
  const TemporaryFolder folder;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  for (const auto& [yaml, words] :
       {std::pair("pool_size: 10\nstart: 4\nrounds: 2\nbudget: 4",
                  "2 rounds of 4 answers exceed the pool's 6"),
        {"pool_size: 10\nstart: 12\nrounds: 0", "start = 12 exceeds the 10 "}}) {
    const Study study = generated_study(folder, yaml);
    EXPECT_THAT(error_of([&] { plan(study, quiet); }), HasSubstr(words));
    EXPECT_THAT(error_of([&] { open_dataset(study, quiet); }), HasSubstr(words));
  }
}

TEST(Sweep, AnArmsNameIsTextAndNoYaml) {
  const Study grid = read("sweep: {rounds: [1, 2]}\narms: {random: {strategy: random}, \"a\\\"b\": "
                          "{strategy: margin}, 'c: #d': {strategy: margin}}");
  EXPECT_THAT(names(grid), ElementsAre("random, rounds 1", "a\"b, rounds 1", "c: #d, rounds 1",
                                       "random, rounds 2", "a\"b, rounds 2", "c: #d, rounds 2"));
  EXPECT_EQ(grid.arms[4].against, "random, rounds 2");
  EXPECT_THAT(names(read_study(Document::text(grid.resolved, "recipe.yaml"), "again")),
              ElementsAre("random, rounds 1", "a\"b, rounds 1", "c: #d, rounds 1",
                          "random, rounds 2", "a\"b, rounds 2", "c: #d, rounds 2"));
}

TEST(Sweep, SaysWhatIsWrong) {
  const auto error_of = [](const std::string& more) -> std::string {
    try {
      read(more);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of("sweep: {pools: [50]}"), HasSubstr("r.yaml:3"));
  EXPECT_THAT(error_of("sweep: {pool: [0]}"), HasSubstr("pool"));
  EXPECT_THAT(error_of("rounds: 0\nsweep: {answers: [10]}"), HasSubstr("needs rounds"));
  EXPECT_THAT(
      error_of(
          "sweep: {rounds: [1, 2]}\narms: {random: {strategy: random}, b: {strategy: margim}}"),
      HasSubstr("r.yaml:4:50: strategy.name = 'margim' is not one of"));
  std::string many = "1";
  for (int i = 2; i <= 40; ++i) many += fmt::format(", {}", i);
  EXPECT_THAT(error_of(fmt::format("sweep: {{pool: [{0}], rounds: [{0}]}}", many)),
              HasSubstr("r.yaml:3:8: sweep: 40 pools x 40 rounds x 1 answers x 1 arms = 1600 arms, "
                        "at most 1000 are run"));
}

}  // namespace
}  // namespace distal
