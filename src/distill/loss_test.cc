// The helpers by hand, and the promises of every distillation loss of the catalogue.

#include <gmock/gmock.h>

#include "base/random.h"
#include "distill/loss.h"

namespace distal {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed) {
  Random random(seed);
  torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values;
}

torch::Tensor f64(std::vector<double> values, int64_t columns) { return torch::tensor(values, torch::kFloat64).view({-1, columns}); }

TEST(SoftCrossEntropy, IsTheWeightedMeanOverKnownRows) {
  const auto logits = f64({0.5, 0.5, 0.25, 0.75, 0.9, 0.1}, 2).log();
  const auto p = f64({1, 0, 0.5, 0.5, kNaN, kNaN}, 2);
  const auto weights = torch::tensor({1.0, 3.0, 5.0}, torch::kFloat64);
  const double want = (std::log(2.0) + 3 * 0.5 * (std::log(4.0) + std::log(4.0 / 3))) / 4;
  EXPECT_NEAR(soft_cross_entropy(logits, p, weights).item<double>(), want, 1e-12);
}

TEST(SoftCrossEntropy, SmoothingMovesEpsilonToTheUniformDistribution) {
  const auto logits = f64({0.7, 0.2, 0.1}, 3).log();
  const double want = -(0.1 / 3 * std::log(0.7) + (0.9 + 0.1 / 3) * std::log(0.2) + 0.1 / 3 * std::log(0.1));
  EXPECT_NEAR(soft_cross_entropy(logits, f64({0, 1, 0}, 3), torch::ones({1}), 0.1).item<double>(), want, 1e-12);
}

TEST(SoftCrossEntropy, IsZeroWithAZeroGradientWhenNothingIsKnown) {
  auto logits = normal({2, 3}, 1).requires_grad_();
  const auto loss = soft_cross_entropy(logits, torch::full({2, 3}, kNaN), torch::ones({2}));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0);
}

TEST(Retemper, RecreatesTheTemperatureOfTheLogits) {
  const auto z = 2 * normal({7, 5}, 3);
  for (const double tau : {0.5, 1.0, 4.0, 20.0})
    EXPECT_LT((retemper(z.softmax(1), tau) - (z / tau).softmax(1)).abs().max().item<double>(), 1e-12) << tau;
  EXPECT_TRUE(torch::isfinite(retemper(f64({1, 0}, 2), 4)).all().item<bool>());
}

TEST(Total, AddsTheParts) {
  EXPECT_DOUBLE_EQ(total({{"a", torch::tensor(1.5)}, {"b", torch::tensor(2.0)}}).item<double>(), 3.5);
}

class EveryLoss : public ::testing::TestWithParam<std::string> {
 protected:
  torch::Tensor value(const torch::Tensor& logits, const torch::Tensor& teacher, const torch::Tensor& truth, const torch::Tensor& weights) const {
    return total(loss_->losses(logits, teacher, truth, weights));
  }
  torch::Tensor value(const torch::Tensor& logits) const { return value(logits, teacher_, truth_, weights_); }

  std::shared_ptr<const DistillLoss> loss_ = make<DistillLoss>(GetParam());
  torch::Tensor logits_ = normal({6, 4}, 11);
  torch::Tensor teacher_ = mixed_teacher();
  torch::Tensor truth_ = mixed_truth();
  torch::Tensor weights_ = torch::tensor({1.0, 2.0, 0.5, 1.0, 3.0, 1.0}, torch::kFloat64);

  static torch::Tensor mixed_teacher() {  // two clips without an answer
    auto p = (2 * normal({6, 4}, 12)).softmax(1);
    p.slice(0, 1, 3).fill_(kNaN);
    return p;
  }
  static torch::Tensor mixed_truth() {  // two clips with neither, one with both
    auto truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
    truth.slice(0, 2, 5).fill_(kNaN);
    return truth;
  }
  torch::Tensor nothing() const { return torch::full({6, 4}, kNaN, torch::kFloat64); }
};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<DistillLoss>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryLoss, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

TEST_P(EveryLoss, IsLeastWhenTheStudentEqualsTheTeacher) {
  const auto sure = 12.0 * torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  std::vector<torch::Tensor> teachers = {sure};
  if (GetParam() != "hard") teachers.push_back(normal({6, 4}, 5));  // pseudo-labels want a sure student, not an equal one
  for (const auto& teacher : teachers) {
    auto equal = teacher.clone().requires_grad_();
    const auto least = value(equal, teacher.softmax(1), nothing(), weights_);
    least.backward();
    EXPECT_LT(equal.grad().abs().max().item<double>(), 1e-4);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const auto other = teacher + normal({6, 4}, 100 + seed) * (GetParam() == "hard" ? 8 : 0.3);
      EXPECT_GT(value(other, teacher.softmax(1), nothing(), weights_).item<double>(), least.item<double>());
    }
  }
}

TEST_P(EveryLoss, HasTheGradientOfFiniteDifferences) {
  auto logits = logits_.clone().requires_grad_();
  value(logits).backward();
  const double step = 1e-5;
  for (int64_t i = 0; i < logits_.numel(); ++i) {
    auto up = logits_.clone(), down = logits_.clone();
    up.view(-1)[i] += step;
    down.view(-1)[i] -= step;
    const double slope = (value(up) - value(down)).item<double>() / (2 * step);
    EXPECT_NEAR(logits.grad().view(-1)[i].item<double>(), slope, 1e-8) << "element " << i;
  }
}

TEST_P(EveryLoss, GivesTheTeacherNoGradient) {
  auto logits = logits_.clone().requires_grad_();
  auto teacher = teacher_.clone().requires_grad_();
  value(logits, teacher, truth_, weights_).backward();
  EXPECT_TRUE(logits.grad().abs().sum().item<double>() > 0);
  EXPECT_FALSE(teacher.grad().defined() && teacher.grad().nan_to_num(1).abs().sum().item<double>() > 0);
}

TEST_P(EveryLoss, DoesNotDependOnTheOrderOfTheBatch) {
  const auto order = torch::tensor({4, 2, 0, 5, 1, 3});
  const auto at = [&](const torch::Tensor& t) { return t.index_select(0, order); };
  EXPECT_NEAR(value(at(logits_), at(teacher_), at(truth_), at(weights_)).item<double>(), value(logits_).item<double>(), 1e-12);
}

TEST_P(EveryLoss, CountsAClipOfWeightTwoAsTwoClips) {
  const auto rows = torch::tensor({0, 1, 1, 2, 3, 4, 4, 5});
  const auto at = [&](const torch::Tensor& t) { return t.index_select(0, rows); };
  const auto weights = torch::tensor({1.0, 2.0, 1.0, 1.0, 2.0, 1.0}, torch::kFloat64);
  EXPECT_NEAR(value(at(logits_), at(teacher_), at(truth_), torch::ones({8}, torch::kFloat64)).item<double>(),
              value(logits_, teacher_, truth_, weights).item<double>(), 1e-12);
  auto silent = weights_.clone();
  silent[3] = 0;
  auto moved = logits_.clone();
  moved[3] += torch::tensor({3.0, 0.0, 0.0, 0.0}, torch::kFloat64);
  EXPECT_NEAR(value(moved, teacher_, truth_, silent).item<double>(), value(logits_, teacher_, truth_, silent).item<double>(), 1e-12);
}

TEST_P(EveryLoss, UsesTheTruthAloneWhereTheTeacherIsSilent) {
  const auto truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  EXPECT_NEAR(value(logits_, nothing(), truth, weights_).item<double>(), soft_cross_entropy(logits_, truth, weights_).item<double>(), 1e-12);
  EXPECT_EQ(value(logits_, nothing(), nothing(), weights_).item<double>(), 0);
}

TEST_P(EveryLoss, NamesItsPartsAndComputesHalfPrecisionInFloat32) {
  const auto parts = loss_->losses(logits_.to(torch::kBFloat16), teacher_.to(torch::kFloat32), truth_.to(torch::kFloat32), weights_.to(torch::kFloat32));
  std::vector<std::string> part_names;
  for (const auto& [name, part] : parts) {
    part_names.push_back(name);
    EXPECT_EQ(part.scalar_type(), torch::kFloat32);
    EXPECT_EQ(part.dim(), 0);
  }
  EXPECT_THAT(part_names, ::testing::ElementsAre("truth", "teacher"));
}

TEST(Losses, AreFoundByTheirFileNames) {
  EXPECT_THAT(names(), ::testing::IsSupersetOf({"black_box", "hard", "kd"}));
}

}  // namespace
}  // namespace distal
