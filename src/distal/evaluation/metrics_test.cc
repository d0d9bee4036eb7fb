// Numbers worked by hand, and what the task decides of them.

#include "distal/evaluation/metrics.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>

#include "distal/tasks/testing.h"

namespace distal {
namespace {

Clip labelled(const char* video, int64_t label) {
  Clip clip;
  clip.video = video;
  clip.label = label;
  return clip;
}

class Measured : public ::testing::Test {
 protected:
  // Probabilities 0.8 and 0.2, 0.4 and 0.6, 0.1 and 0.9.
  const torch::Tensor logits_ =
      torch::tensor({0.8, 0.2, 0.4, 0.6, 0.1, 0.9}, torch::kFloat64).log().view({3, 2});
  const torch::Tensor rows_ = torch::tensor({0, 1, 3}, torch::kInt64);
  const std::vector<Clip> test_ = {labelled("a", 0), labelled("a", 0), labelled("b", 1),
                                   labelled("b", 1)};
};

TEST_F(Measured, HasTheNumbersOfOneLabelAClip) {
  const Metrics metrics = measure(logits_, rows_, test_);
  EXPECT_NEAR(metrics.accuracy, 2 / 3., 1e-12);
  EXPECT_NEAR(metrics.video_accuracy, 1, 1e-12) << "0.8 + 0.4 against 0.2 + 0.6";
  EXPECT_NEAR(metrics.mean_class_accuracy, 0.75, 1e-12);
  EXPECT_NEAR(metrics.nll, -(std::log(0.8) + std::log(0.4) + std::log(0.9)) / 3, 1e-12);
  EXPECT_NEAR(metrics.ece, (0.2 + 0.6 + 0.1) / 3, 1e-12);
  EXPECT_THAT(metrics.correct, ::testing::ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(metrics.confusion,
              ::testing::ElementsAre(::testing::ElementsAre(1, 1), ::testing::ElementsAre(0, 1)));
  ASSERT_EQ(metrics.worst.size(), 3U);
  EXPECT_NEAR(metrics.worst[0].probability_of_truth, 0.4, 1e-12);
  EXPECT_EQ(metrics.worst[0].predicted, 1);
}

TEST_F(Measured, HasTheProbabilitiesAndTheMetricsOfItsTask) {
  const HalfSure task;
  const Metrics metrics = measure(logits_, rows_, test_, task);
  const Metrics whole = measure(logits_ / 2, rows_, test_);
  EXPECT_EQ(metrics.nll, whole.nll);
  EXPECT_EQ(metrics.accuracy, whole.accuracy);
  EXPECT_EQ(metrics.ece, 0);
  EXPECT_EQ(metrics.video_accuracy, 0);
  EXPECT_NE(whole.ece, 0);
}

TEST(Measures, AreComputedAndListedForEveryTask) {
  for (const auto& row : catalogue<Task>()) {
    const auto task = make<Task>(row.name);
    for (const std::string& name : task->metrics()) {
      const auto is = [&](const RoundField& field) { return field.name == name; };
      EXPECT_TRUE(std::any_of(std::begin(kRoundFields), std::end(kRoundFields), is)) << name;
    }
    const torch::Tensor logits = torch::zeros({1, task->outputs(2)});
    EXPECT_NO_THROW(measure(logits, torch::zeros({1}, torch::kInt64), {labelled("a", 1)}, *task))
        << row.name;
  }
}

}  // namespace
}  // namespace distal
