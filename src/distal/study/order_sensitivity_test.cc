// Any recipe as TSN against TSM, and the reading of what that gave.

#include "distal/study/order_sensitivity.h"
#include "distal/base/error.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

Study made_of(const std::string& yaml) {
  return order_study(
      Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\n" + yaml, "r.yaml"),
      "r-order");
}

std::string refusal(const std::string& yaml) {
  return error_of<UsageError>([&] { made_of(yaml); });
}

/// 100 test clips of 20 videos.
Results measured(const std::vector<double>& tsn, const std::vector<double>& tsm) {
  Results results;
  results.classes = {"left", "right", "up", "down"};
  for (int64_t clip = 0; clip < 100; ++clip)
    results.test_groups.push_back(std::to_string(clip % 20));
  for (size_t i = 0; i < tsn.size(); ++i) {
    for (const bool shift : {false, true}) {
      Trial trial{shift ? "tsm" : "tsn",
                  static_cast<int64_t>(i),
                  !shift,
                  {RoundResult{}},
                  shift ? "tsn" : ""};
      trial.rounds[0].metrics.accuracy = (shift ? tsm : tsn)[i];
      for (int64_t clip = 0; clip < 100; ++clip)
        trial.rounds[0].metrics.correct.push_back(
            clip < std::lround(100 * trial.rounds[0].metrics.accuracy));
      results.trials.push_back(trial);
    }
  }
  return results;
}

TEST(OrderExperiment, IsTwoArmsThatDifferInTheShiftAlone) {
  const auto made = made_of(
      "student: {model: {name: tsn, base: mobilenet_v2, init: m.safetensors, freeze: backbone, "
      "dropout: 0.1}, training: {steps: 7}, augment: {flip: 0.5, family: mixup}}\n"
      "rounds: 3\nstart: 8\nbudget: 5\nstrategy: margin\nselection: {unit: seconds}\narms: {a: {}, "
      "b: {strategy: random}}");
  ASSERT_EQ(made.arms.size(), 2u);
  EXPECT_EQ(made.control, "tsn");
  EXPECT_EQ(made.arms[1].against, "tsn");
  std::string expected = made.arms[0].resolved;
  expected.replace(expected.find("name: tsn"), 9, "name: tsm");
  std::string shifted = made.arms[1].resolved;
  for (const char* option : {"shift_div", "online"}) {
    const auto shift = shifted.find(option);
    ASSERT_NE(shift, std::string::npos);
    const auto line = shifted.rfind('\n', shift);
    shifted.erase(line, shifted.find('\n', shift) - line);
  }
  EXPECT_EQ(shifted, expected);
  for (const Arm& arm : made.arms) {
    const ArmOptions& recipe = arm.options;
    EXPECT_THAT(arm.resolved, HasSubstr("base: mobilenet_v2"));
    EXPECT_EQ(recipe.student.model.init, "m.safetensors");
    EXPECT_TRUE(recipe.student.model.freeze.empty());
    EXPECT_EQ(recipe.student.training.steps, 7);
    EXPECT_EQ(recipe.student.augment.flip, 0.5);
    EXPECT_EQ(recipe.student.augment.family.name, "none");
    EXPECT_EQ(recipe.start, -1);
    EXPECT_EQ(recipe.rounds, 0);
    EXPECT_EQ(recipe.selection.unit, "answers");
  }
}

TEST(OrderExperiment, NeedsNoFrameNetAndNoTeacher) {
  const std::string teacher = "teacher: {train: {csv: x.csv}, model: {name: resnet3d}}\noracle: "
                              "{kind: teacher}\nask_start: true\nloss: kd\n";
  for (const std::string student :
       {"", "student: {model: {name: eco_lite}}", "student: {model: tsm}",
        "student: {model: {name: tsm, base: resnet18, shift_div: 4}}"}) {
    const auto made = made_of(teacher + student);
    EXPECT_EQ(made.arms[0].options.student.model.backbone.name, "tsn");
    EXPECT_EQ(made.arms[1].options.student.model.backbone.name, "tsm");
    EXPECT_FALSE(made.shared.teacher.has_value());
    EXPECT_EQ(made.shared.oracle.only.kind.name, "truth");
    const bool named = student.find("tsm") != std::string::npos;
    EXPECT_THAT(
        made.arms[0].resolved,
        HasSubstr(named && student.find("resnet18") == std::string::npos ? "base: mobilenet_v2"
                                                                         : "base: resnet18"))
        << student;
  }
}

TEST(OrderExperiment, LeavesOutWhatAsksAndChooses) {
  const auto made = made_of("oracle: {kind: model, path: m}\nmatching: true\nsweep: {pool: [4, "
                            "8]}\nmixes: {}\nanswers_per_clip: 3\nbudget: 2\npool_size: 9");
  ASSERT_EQ(made.arms.size(), 2u);
  for (const Arm& arm : made.arms) {
    EXPECT_FALSE(arm.options.matching || arm.options.mixes);
    EXPECT_EQ(arm.options.answers_per_clip, 1);
    EXPECT_EQ(arm.options.pool_size, -1);
    EXPECT_EQ(arm.options.budget, ArmOptions().budget);
  }
}

TEST(OrderExperiment, CanBeReadAgainAsARecipe) {
  const auto made = made_of("student: {model: {name: tsm, base: resnet18, width: 0.25}, augment: "
                            "{family: {name: mixup, alpha: 1}}}\narms: {a: {}}");
  const auto again = read_study(Document::text(made.resolved, "recipe.yaml"), "again");
  ASSERT_EQ(again.arms.size(), 2u);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(again.arms[i].resolved, made.arms[i].resolved);
}

TEST(OrderExperiment, RefusesWhatCannotBeTested) {
  EXPECT_THAT(refusal("seeds: 1"), HasSubstr("--set seeds=5"));
  EXPECT_THAT(refusal("input: {sampling: {frames: 1}}"), HasSubstr("has no order"));
}

TEST(OrderSensitivity, SaysThatOrderMattersOnlyWhereATestDoes) {
  const auto moving =
      order_sensitivity(measured({0.24, 0.26, 0.25, 0.27, 0.23}, {0.93, 0.95, 0.96, 0.92, 0.94}));
  EXPECT_NEAR(moving.tsn.mean, 0.25, 1e-12);
  EXPECT_NEAR(moving.tsm.mean, 0.94, 1e-12);
  EXPECT_NEAR(moving.difference.mean, 0.69, 1e-12);
  EXPECT_LT(moving.p, 0.001);
  EXPECT_THAT(moving.sentence, HasSubstr("tells classes apart here"));
  EXPECT_THAT(moving.text(), HasSubstr("TSM is better than TSN: +69.00 accuracy points"));

  const auto still =
      order_sensitivity(measured({0.70, 0.72, 0.71, 0.69, 0.73}, {0.71, 0.70, 0.72, 0.71, 0.71}));
  EXPECT_GT(still.p, 0.05);
  EXPECT_THAT(still.sentence, HasSubstr("is not shown here"));
  EXPECT_THAT(still.test, HasSubstr("no difference shown"));

  const auto worse =
      order_sensitivity(measured({0.80, 0.82, 0.81, 0.79}, {0.70, 0.73, 0.71, 0.68}));
  EXPECT_THAT(worse.sentence, HasSubstr("costs accuracy here"));

  Results one_video = measured({0.80, 0.82, 0.81, 0.79}, {0.90, 0.93, 0.91, 0.88});
  one_video.test_groups.assign(100, "a");
  EXPECT_THAT(order_sensitivity(one_video).sentence,
              HasSubstr("On this test set seeing the order of the frames helps"));

  const auto nothing = order_sensitivity(measured({0.24, 0.26, 0.25}, {0.25, 0.27, 0.24}));
  EXPECT_THAT(nothing.sentence, HasSubstr("above chance (0.2500)"));
}

}  // namespace
}  // namespace distal
