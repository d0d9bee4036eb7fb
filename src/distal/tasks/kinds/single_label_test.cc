// Numbers worked by hand.

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "distal/tasks/task.h"

namespace distal {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

torch::Tensor row(std::vector<double> values) {
  return torch::tensor(values, torch::kFloat64).unsqueeze(0);
}

class SingleLabel : public ::testing::Test {
 protected:
  const std::shared_ptr<const Task> task_ = make<Task>("single_label");
};

TEST_F(SingleLabel, HasATargetOfOneOne) {
  EXPECT_EQ(task_->outputs(3), 3);
  EXPECT_THAT(task_->target(1, 3), ::testing::ElementsAre(0, 1, 0));
}

TEST_F(SingleLabel, GivesProbabilitiesInTheRatioOfTheExponentials) {
  const auto p = task_->probabilities(row({std::log(1.0), std::log(2.0), std::log(5.0)}));
  EXPECT_TRUE(torch::allclose(p, row({0.125, 0.25, 0.625})));
}

TEST_F(SingleLabel, LosesTheLogarithmOfTheTruthsProbability) {
  const auto z = row({std::log(0.25), std::log(0.75)});
  EXPECT_NEAR(task_->loss(z, row({1, 0})).item<double>(), std::log(4.0), 1e-12);
  EXPECT_NEAR(task_->loss(z, row({0.5, 0.5})).item<double>(),
              0.5 * std::log(4.0) + 0.5 * std::log(4.0 / 3), 1e-12);
}

TEST_F(SingleLabel, SpreadsTheSmoothingOverAllClasses) {
  EXPECT_TRUE(torch::allclose(task_->smoothed(row({0, 1}), 0.1), row({0.05, 0.95})));
}

TEST_F(SingleLabel, MeasuresHowSureItIs) {
  const auto p = row({0.5, 0.25, 0.25});
  EXPECT_EQ(task_->confidence(p).item<double>(), 0.5);
  EXPECT_EQ(task_->margin(p).item<double>(), 0.25);
  EXPECT_NEAR(task_->entropy(p).item<double>(), 1.5 * std::log(2.0), 1e-12);
  EXPECT_EQ(task_->entropy(row({1, 0})).item<double>(), 0);
}

TEST_F(SingleLabel, SaysWhyARowIsNoProbabilities) {
  EXPECT_EQ(task_->invalid(row({1.5, -0.5})).value().reason,
            "probabilities lie below 0, the least is -0.5");
  EXPECT_EQ(task_->invalid(row({1, 0.25})).value().reason,
            "probabilities do not sum to 1 but to 1.25");
  EXPECT_FALSE(task_->invalid(row({kNaN, 7})));
}

TEST_F(SingleLabel, TakesRoundingOutOfAnAnswer) {
  const auto rounded = row({0.3335, 0.6672, -0.0005});
  EXPECT_FALSE(task_->invalid(rounded));
  const auto p = task_->normalised(rounded);
  EXPECT_NEAR(p.sum().item<double>(), 1, 1e-15);
  EXPECT_EQ(p[0][2].item<double>(), 0);
}

TEST_F(SingleLabel, SoftensByTheTemperature) {
  // sqrt(0.8) : sqrt(0.2) = 2 : 1
  EXPECT_TRUE(torch::allclose(softened(*task_, row({0.8, 0.2}), 2), row({2 / 3., 1 / 3.})));
}

}  // namespace
}  // namespace distal
