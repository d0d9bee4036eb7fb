#include "distal/report/sweep_grid.h"

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

Results arms(const std::vector<std::string>& names, const std::string& control) {
  Results results;
  for (const std::string& name : names) {
    Trial trial;
    trial.arm = name;
    trial.control = name.starts_with(control);
    trial.rounds.push_back({});
    results.trials.push_back(trial);
  }
  return results;
}

TEST(SweepGrid, TakesTheNameOfAnArmApart) {
  const ArmName name = arm_name("k_center, lean, pool 48, rounds 2, answers 1.5");
  EXPECT_EQ(name.strategy, "k_center, lean");
  EXPECT_THAT(name.options, ElementsAre(Pair("pool", 48), Pair("rounds", 2), Pair("answers", 1.5)));
  for (const char* plain :
       {"labels only", "pool 48", "kd, tau four", "a, Pool 4", "a,pool 4", ""}) {
    EXPECT_EQ(arm_name(plain).strategy, plain);
    EXPECT_THAT(arm_name(plain).options, SizeIs(0));
  }
}

TEST(SweepGrid, HasEachValueOnceAndEveryArmAtItsPoint) {
  const Results results = arms({"margin, pool 480, rounds 2", "random, pool 480, rounds 2",
                                "margin, pool 48, rounds 2", "random, pool 48, rounds 2"},
                               "random");
  const Summary summary(results);
  const auto grid = sweep_grid(summary);
  ASSERT_TRUE(grid);
  ASSERT_THAT(grid->strategies, SizeIs(2));
  EXPECT_FALSE(grid->strategies[0].style.control);
  EXPECT_TRUE(grid->strategies[1].style.control);
  EXPECT_THAT(grid->options[0].values, ElementsAre(48, 480));
  EXPECT_THAT(grid->options[1].values, ElementsAre(2));
  EXPECT_THAT(grid->swept(), ElementsAre(0));
  EXPECT_EQ(grid->at(1, {48, 2})->arm->name, "random, pool 48, rounds 2");
  EXPECT_EQ(grid->at(1, {47, 2}), nullptr);
  EXPECT_EQ(grid->of(summary.arms[2])->point, (std::vector<double>{48, 2}));
}

TEST(SweepGrid, OtherArmsAreNone) {
  for (const auto& names :
       std::vector<std::vector<std::string>>{{},
                                             {"margin", "random"},
                                             {"margin, pool 48", "random"},
                                             {"margin, pool 48", "random, rounds 2"},
                                             {"margin, pool 48", "random, pool 48"}}) {
    const Results results = arms(names, "random");
    EXPECT_FALSE(sweep_grid(Summary(results))) << testing::PrintToString(names);
  }
}

}  // namespace
}  // namespace distal
