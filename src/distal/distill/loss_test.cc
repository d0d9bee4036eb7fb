// The helpers by hand, and the promises of every distillation loss of the catalogue.

#include "distal/base/catalogue.h"
#include "distal/base/testing.h"
#include "distal/distill/conformance.h"
#include "distal/distill/features.h"
#include "distal/distill/testing.h"
#include "distal/tasks/testing.h"

namespace distal {
namespace {

TEST(SoftCrossEntropy, IsTheWeightedMeanOverKnownRows) {
  const auto logits = f64({0.5, 0.5, 0.25, 0.75, 0.9, 0.1}, 2).log();
  const auto p = f64({1, 0, 0.5, 0.5, kNaN, kNaN}, 2);
  const auto weights = torch::tensor({1.0, 3.0, 5.0}, torch::kFloat64);
  const double want = (std::log(2.0) + 3 * 0.5 * (std::log(4.0) + std::log(4.0 / 3))) / 4;
  EXPECT_NEAR(mean_loss(default_task(), logits, p, weights).item<double>(), want, 1e-12);
}

TEST(SoftCrossEntropy, SmoothingMovesEpsilonToTheUniformDistribution) {
  const auto logits = f64({0.7, 0.2, 0.1}, 3).log();
  const double want =
      -(0.1 / 3 * std::log(0.7) + (0.9 + 0.1 / 3) * std::log(0.2) + 0.1 / 3 * std::log(0.1));
  EXPECT_NEAR(
      mean_loss(default_task(), logits, f64({0, 1, 0}, 3), torch::ones({1}), 0.1).item<double>(),
      want, 1e-12);
}

TEST(SoftCrossEntropy, IsZeroWithAZeroGradientWhenNothingIsKnown) {
  auto logits = normal({2, 3}, 1).requires_grad_();
  const auto loss = mean_loss(default_task(), logits, torch::full({2, 3}, kNaN), torch::ones({2}));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0);
}

TEST(MeanLoss, IsTheTasks) {
  const HalfSure task;
  const auto logits = normal({4, 3}, 1);
  const auto truth = f64({0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0}, 3);
  EXPECT_EQ(mean_loss(task, logits, truth, torch::ones({4})).item<double>(),
            mean_loss(default_task(), logits / 2, truth, torch::ones({4})).item<double>());
}

TEST(Losses, LearnByTheTaskOfTheLesson) {
  const HalfSure task;
  const auto truth = f64({0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0}, 3);
  const auto teacher = normal({4, 3}, 2).softmax(1);
  Lesson lesson = lesson_of(normal({4, 3}, 1), teacher, truth);
  Lesson halved = lesson_of(normal({4, 3}, 1) / 2, teacher, truth);
  lesson.task = &task;
  for (const char* name : {"kd", "black_box"}) {
    const auto loss = make<DistillLoss>(name);
    EXPECT_NEAR(total(loss->losses(lesson)).item<double>(),
                total(loss->losses(halved)).item<double>(), 1e-12)
        << name;
  }
}

// methods 12, note 3: softmax(z / tau) = normalise(softmax(z)^(1 / tau)).
TEST(Retemper, RecreatesTheTemperatureOfTheLogits) {
  const auto z = 2 * normal({7, 5}, 3);
  for (const double tau : {0.5, 1.0, 4.0, 20.0})
    EXPECT_LT((softened(default_task(), z.softmax(1), tau) - (z / tau).softmax(1))
                  .abs()
                  .max()
                  .item<double>(),
              1e-12)
        << tau;
  EXPECT_TRUE(torch::isfinite(softened(default_task(), f64({1, 0}, 2), 4)).all().item<bool>());
}

TEST(Total, AddsTheParts) {
  EXPECT_DOUBLE_EQ(total({{"a", torch::tensor(1.5)}, {"b", torch::tensor(2.0)}}).item<double>(),
                   3.5);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<DistillLoss>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryLoss, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Losses, AreFoundByTheirFileNames) {
  EXPECT_THAT(names(),
              ::testing::IsSupersetOf({"at", "black_box", "crd", "dkd", "hard", "hint", "kd",
                                       "label_smoothing", "rkd", "sp", "sum", "tf_kd"}));
}

TEST(Features, SayWhichMapsThereAre) {
  Lesson lesson = lesson_of_features(normal({2, 3}, 1), normal({2, 4}, 2));
  lesson.student_maps = {{"layer2", normal({2, 3, 1, 2, 2}, 3)}, {"windows", normal({6, 3}, 4)}};
  EXPECT_EQ(error_of([&] {
              features(lesson, {"layer3", ""}, "at");
            }),
            "loss at: the student has no map 'layer3'; it has: embedding, layer2");
}

TEST(Features, OfFramesAndOfVolumesAreBroughtToOneSize) {
  Lesson lesson = lesson_of_features(normal({2, 3}, 1), normal({2, 4}, 2));
  lesson.student_maps = {{"frames", normal({8, 3, 6, 2}, 3)}};  // four frames of each clip
  lesson.teacher_maps = {{"volume", normal({2, 5, 2, 3, 4}, 4)}};
  const Features both = of_one_size(features(lesson, {"frames", "volume"}, "hint"));
  EXPECT_EQ(both.student.sizes(), c10::IntArrayRef({2, 3, 2, 3, 2}));
  EXPECT_EQ(both.teacher.sizes(), c10::IntArrayRef({2, 5, 2, 3, 2}));
  const auto first = lesson.student_maps["frames"].slice(0, 0, 2).slice(2, 0, 2).slice(
      3, 0, 1);  // clip 0, frames 0 and 1, two rows, a column
  EXPECT_NEAR(both.student[0][1][0][0][0].item<double>(), first.select(1, 1).mean().item<double>(),
              1e-12);
}

}  // namespace
}  // namespace distal
