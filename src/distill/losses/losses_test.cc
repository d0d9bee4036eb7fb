// kd, black_box and hard: numbers worked by hand, and the published values.

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distill/loss.h"

namespace distal {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

torch::Tensor f64(std::vector<double> values, int64_t columns) { return torch::tensor(values, torch::kFloat64).view({-1, columns}); }

torch::Tensor tensor_of(const nlohmann::json& rows) {
  std::vector<double> values;
  for (const auto& row : rows) for (const auto& value : row) values.push_back(value.get<double>());
  return f64(values, static_cast<int64_t>(rows[0].size()));
}

nlohmann::json parity_table(const std::string& name) {
  std::ifstream file(std::filesystem::path(DISTAL_SOURCE_DIR) / "../shared/reference/parity/losses_and_strategies.json");
  if (!file) return nullptr;
  const auto tables = nlohmann::json::parse(file)["tables"];
  for (const auto& table : tables) if (table["name"] == name) return table;
  return nullptr;
}

std::map<std::string, double> parts(const DistillLoss& loss, const torch::Tensor& logits, const torch::Tensor& teacher, const torch::Tensor& truth) {
  std::map<std::string, double> values;
  for (const auto& [name, part] : loss.losses(logits, teacher, truth, torch::ones({logits.size(0)}, torch::kFloat64))) values[name] = part.item<double>();
  return values;
}

TEST(Kd, MatchesThePublishedCode) {
  const auto table = parity_table("KD");
  if (table.is_null()) GTEST_SKIP() << "the reference numbers (shared/reference/parity) are not here";
  auto logits = tensor_of(table["student_logits"]).requires_grad_();
  const auto teacher = tensor_of(table["teacher_logits"]).softmax(1);
  const auto loss = total(make<DistillLoss>("kd", "tau: 4")->losses(logits, teacher, torch::full_like(teacher, kNaN), torch::ones({logits.size(0)})));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), table["expected"]["loss"].get<double>(), 1e-10);
  EXPECT_LT((logits.grad() - tensor_of(table["expected"]["gradient_of_student"])).abs().max().item<double>(), 1e-10);
}

TEST(Kd, SharesBetweenTruthAndTeacherWorkedByHand) {
  const auto logits = f64({std::log(0.8), std::log(0.2)}, 2), teacher = f64({0.5, 0.5}, 2), truth = f64({1, 0}, 2), unknown = f64({kNaN, kNaN}, 2);
  const auto loss = make<DistillLoss>("kd", "tau: 2, alpha: 0.75");
  // softened: sqrt(0.8) : sqrt(0.2) = 2 : 1, so the student is (2/3, 1/3) and the teacher (1/2, 1/2).
  const double divergence = 4 * (0.5 * std::log(0.5 * 3 / 2) + 0.5 * std::log(0.5 * 3)), entropy = -std::log(0.8);
  const auto both = parts(*loss, logits, teacher, truth);
  EXPECT_NEAR(both.at("truth"), 0.25 * entropy, 1e-12);
  EXPECT_NEAR(both.at("teacher"), 0.75 * divergence, 1e-12);
  const auto no_truth = parts(*loss, logits, teacher, unknown);
  EXPECT_EQ(no_truth.at("truth"), 0);
  EXPECT_NEAR(no_truth.at("teacher"), divergence, 1e-12);
  EXPECT_NEAR(parts(*loss, logits, unknown, truth).at("truth"), entropy, 1e-12);
}

TEST(Kd, TakesTeachersThatAreQuiteSure) {
  auto logits = f64({30, -30, 0}, 3).requires_grad_();
  const auto loss = total(make<DistillLoss>("kd")->losses(logits, f64({0, 1, 0}, 3), f64({kNaN, kNaN, kNaN}, 3), torch::ones({1})));
  loss.backward();
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  EXPECT_TRUE(torch::isfinite(logits.grad()).all().item<bool>());
}

TEST(BlackBox, IsTheCrossEntropyWithProbabilities) {
  const auto logits = f64({std::log(0.8), std::log(0.2)}, 2), teacher = f64({0.3, 0.7}, 2), truth = f64({1, 0}, 2);
  const auto values = parts(*make<DistillLoss>("black_box"), logits, teacher, truth);
  EXPECT_NEAR(values.at("teacher"), -0.3 * std::log(0.8) - 0.7 * std::log(0.2), 1e-12);
  EXPECT_EQ(values.at("truth"), 0) << "the teacher's word goes before the truth";
  const auto softened = parts(*make<DistillLoss>("black_box", "tau: 2"), logits, f64({0.5, 0.5}, 2), truth);
  EXPECT_NEAR(softened.at("teacher"), 4 * -0.5 * (std::log(2.0 / 3) + std::log(1.0 / 3)), 1e-12);
}

TEST(Hard, LearnsTheMostProbableClassWhereTheTeacherIsSure) {
  const auto logits = f64({0.8, 0.2, 0.8, 0.2, 0.8, 0.2}, 2).log();
  const auto teacher = f64({0.1, 0.9, 0.6, 0.4, 0.55, 0.45}, 2);
  const auto truth = f64({1, 0, 0, 1, kNaN, kNaN}, 2);
  const auto all = parts(*make<DistillLoss>("hard"), logits, teacher, truth);
  EXPECT_NEAR(all.at("teacher"), -(std::log(0.2) + 2 * std::log(0.8)) / 3, 1e-12);
  EXPECT_EQ(all.at("truth"), 0);
  const auto sure = parts(*make<DistillLoss>("hard", "threshold: 0.8"), logits, teacher, truth);
  EXPECT_NEAR(sure.at("teacher"), -std::log(0.2) / 2, 1e-12) << "one of the two clips that have a target";
  EXPECT_NEAR(sure.at("truth"), -std::log(0.2) / 2, 1e-12) << "the second clip falls back on its truth, the third on nothing";
}

TEST(BlackBox, WeighsEveryClipTheSameWhoeverAnsweredForIt) {
  const auto logits = f64({0.8, 0.2, 0.3, 0.7, 0.6, 0.4}, 2).log();
  const auto truth = f64({kNaN, kNaN, kNaN, kNaN, 0, 1}, 2), teacher = f64({1, 0, 1, 0, kNaN, kNaN}, 2);
  const auto mixed = parts(*make<DistillLoss>("black_box"), logits, teacher, truth);
  EXPECT_NEAR(mixed.at("truth") + mixed.at("teacher"), -(std::log(0.8) + std::log(0.3) + std::log(0.4)) / 3, 1e-12);
}

}  // namespace
}  // namespace distal
