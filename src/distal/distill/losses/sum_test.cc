// Several losses at once: weights, warm-ups, names, options.

#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/base/options.h"
#include "distal/base/testing.h"
#include "distal/distill/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

Lesson example() {
  Lesson lesson = lesson_of(normal({4, 3}, 1), (2 * normal({4, 3}, 2)).softmax(1),
                            torch::one_hot(torch::tensor({0, 1, 2, 0}), 3).to(torch::kFloat64));
  lesson.student.embedding = normal({4, 5}, 3);
  lesson.teacher_embedding = normal({4, 6}, 4);
  return lesson;
}

std::string refusal(const std::string& options) {
  return error_of<UsageError>([&] { make<DistillLoss>("sum", options); });
}

TEST(Sum, NamesAndWeighsThePartsOfItsLosses) {
  const Lesson lesson = example();
  const auto kd = values_of(make<DistillLoss>("kd", "tau: 2")->losses(lesson));
  const auto rkd = values_of(make<DistillLoss>("rkd", "distance: 3")->losses(lesson));
  const auto sum = values_of(
      make<DistillLoss>("sum",
                        "of: [kd, rkd], kd: {weight: 0.5, tau: 2}, rkd: {distance: 3, weight: 4}")
          ->losses(lesson));
  ASSERT_EQ(sum.size(), 4u);
  EXPECT_DOUBLE_EQ(sum.at("kd.truth"), 0.5 * kd.at("truth"));
  EXPECT_DOUBLE_EQ(sum.at("kd.teacher"), 0.5 * kd.at("teacher"));
  EXPECT_DOUBLE_EQ(sum.at("rkd.distance"), 4 * rkd.at("distance"));
  EXPECT_DOUBLE_EQ(sum.at("rkd.angle"), 4 * rkd.at("angle"));
}

TEST(Sum, WarmsUpLinearlyAllButTheTruth) {
  const auto loss = make<DistillLoss>("sum", "of: [kd, rkd], kd: {warmup: 0.2, weight: 3}");
  Lesson lesson = example();
  lesson.progress = 1;
  const auto full = values_of(loss->losses(lesson));
  for (const auto& [progress, share] :
       {std::pair(0.0, 0.0), std::pair(0.05, 0.25), std::pair(0.1, 0.5), std::pair(0.2, 1.0),
        std::pair(0.7, 1.0)}) {
    lesson.progress = progress;
    const auto now = values_of(loss->losses(lesson));
    EXPECT_NEAR(now.at("kd.teacher"), share * full.at("kd.teacher"), 1e-12) << progress;
    EXPECT_EQ(now.at("kd.truth"), full.at("kd.truth"));
    EXPECT_EQ(now.at("rkd.distance"), full.at("rkd.distance"));
  }
}

TEST(Sum, NeedsWhatItsLossesNeed) {
  const auto answers = make<DistillLoss>("sum", "of: [kd, label_smoothing]");
  EXPECT_FALSE(answers->needs_teacher());
  EXPECT_FALSE(answers->needs_teacher_network());
  EXPECT_TRUE(answers->teaches_classes());
  const auto features = make<DistillLoss>("sum", "of: [rkd, at]");
  EXPECT_TRUE(features->needs_teacher_network());
  EXPECT_TRUE(features->needs_maps());
  EXPECT_FALSE(features->teaches_classes());
  EXPECT_TRUE(make<DistillLoss>("sum", "of: [rkd, kd]")->teaches_classes());
}

TEST(Sum, GivesEachLossItsOwnParts) {
  Lesson lesson = example();
  lesson.student_maps = {{"a", normal({4, 2, 1, 2, 2}, 5)}};
  lesson.teacher_maps = {{"b", normal({4, 3, 1, 2, 2}, 6)}};
  const auto loss = make<DistillLoss>(
      "sum", "of: [kd, hint, crd], hint: {map: a, teacher_map: b}, crd: {size: 7}");
  const auto parts = loss->parts(lesson, 9, Random(1));
  std::vector<std::string> names;
  for (const auto& row : parts->named_parameters()) names.push_back(row.key());
  for (const auto& row : parts->named_buffers()) names.push_back(row.key());
  EXPECT_THAT(names,
              UnorderedElementsAre("hint.weight", "hint.bias", "crd.student.weight",
                                   "crd.student.bias", "crd.teacher.weight", "crd.teacher.bias",
                                   "crd.student_bank", "crd.teacher_bank", "crd.normaliser"));
  EXPECT_EQ(make<DistillLoss>("sum", "of: [kd, rkd]")->parts(lesson, 9, Random(1)), nullptr);
}

TEST(Sum, IsReadAndWrittenAsARecipeWritesIt) {
  Choice<DistillLoss> choice;
  read_options(choice, "{name: sum, of: [kd, rkd], rkd: {warmup: 0.2, angle: 0}}", "r.yaml");
  const std::string text = resolved(choice);
  Choice<DistillLoss> again;
  read_options(again, text, "resolved");
  EXPECT_EQ(resolved(again), text);
  EXPECT_THAT(text, HasSubstr("warmup: 0.2"));
  EXPECT_THAT(text, HasSubstr("tau: 4"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("hint")));
}

TEST(Sum, RefusesWhatCannotBeMeant) {
  EXPECT_THAT(refusal("of: []"), HasSubstr("of must name at least one loss"));
  EXPECT_THAT(refusal("of: [kd, kd]"), HasSubstr("each once"));
  EXPECT_THAT(refusal("of: [kd, sum]"), HasSubstr("'sum' is not one of"));
  EXPECT_THAT(refusal("of: [kd], rkd: {weight: 2}"), HasSubstr("rkd is no option here"));
  EXPECT_THAT(refusal("of: [kd], kd: {beta: 2}"), HasSubstr("kd.beta is no option here"));
  EXPECT_THAT(refusal("of: [kd], kd: {warmup: 2}"), HasSubstr("lies outside"));
}

}  // namespace
}  // namespace distal
