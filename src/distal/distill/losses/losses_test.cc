// Losses of answers: numbers worked by hand, the published values, and the identities between them.

#include "distal/base/choice.h"
#include "distal/distill/testing.h"

namespace distal {
namespace {

std::map<std::string, double> parts(const DistillLoss& loss, const torch::Tensor& logits,
                                    const torch::Tensor& teacher, const torch::Tensor& truth) {
  return values_of(loss.losses(lesson_of(logits, teacher, truth)));
}

// Loss and gradient of published numbers.
void expect_published(const DistillLoss& loss, const nlohmann::json& table,
                      const torch::Tensor& truth, const nlohmann::json& expected) {
  auto logits = tensor_of(table.at("student_logits")).requires_grad_();
  const auto value = total(
      loss.losses(lesson_of(logits, tensor_of(table.at("teacher_logits")).softmax(1), truth)));
  value.backward();
  EXPECT_NEAR(value.item<double>(), expected.at("loss").get<double>(), 1e-10);
  EXPECT_LT(
      (logits.grad() - tensor_of(expected.at("gradient_of_student"))).abs().max().item<double>(),
      1e-10);
}

TEST(Kd, MatchesThePublishedCode) {
  const auto table = parity_table("KD");
  if (!table) GTEST_SKIP() << "the folder of parity fixtures is not there";
  expect_published(*make<DistillLoss>("kd", "tau: 4"), *table,
                   unknown(tensor_of(table->at("student_logits"))), table->at("expected"));
}

TEST(Kd, SharesBetweenTruthAndTeacherWorkedByHand) {
  const auto logits = f64({std::log(0.8), std::log(0.2)}, 2);
  const auto teacher = f64({0.5, 0.5}, 2);
  const auto truth = f64({1, 0}, 2);
  const auto none = f64({kNaN, kNaN}, 2);
  const auto loss = make<DistillLoss>("kd", "tau: 2, alpha: 0.75");
  // softened: sqrt(0.8) : sqrt(0.2) = 2 : 1, so the student is (2/3, 1/3) and the teacher (1/2,
  // 1/2).
  const double divergence = 4 * (0.5 * std::log(0.5 * 3 / 2) + 0.5 * std::log(0.5 * 3));
  const double entropy = -std::log(0.8);
  const auto both = parts(*loss, logits, teacher, truth);
  EXPECT_NEAR(both.at("truth"), 0.25 * entropy, 1e-12);
  EXPECT_NEAR(both.at("teacher"), 0.75 * divergence, 1e-12);
  const auto no_truth = parts(*loss, logits, teacher, none);
  EXPECT_EQ(no_truth.at("truth"), 0);
  EXPECT_NEAR(no_truth.at("teacher"), divergence, 1e-12);
  EXPECT_NEAR(parts(*loss, logits, none, truth).at("truth"), entropy, 1e-12);
}

TEST(Kd, TakesTeachersThatAreQuiteSure) {
  for (const char* name : {"kd", "dkd", "tf_kd"}) {
    auto logits = f64({30, -30, 0}, 3).requires_grad_();
    const auto loss = total(make<DistillLoss>(name)->losses(
        lesson_of(logits, f64({0, 1, 0}, 3), f64({kNaN, kNaN, kNaN}, 3))));
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>())) << name;
    EXPECT_TRUE(torch::isfinite(logits.grad()).all().item<bool>()) << name;
  }
}

TEST(BlackBox, IsTheCrossEntropyWithProbabilities) {
  const auto logits = f64({std::log(0.8), std::log(0.2)}, 2);
  const auto teacher = f64({0.3, 0.7}, 2);
  const auto truth = f64({1, 0}, 2);
  const auto values = parts(*make<DistillLoss>("black_box"), logits, teacher, truth);
  EXPECT_NEAR(values.at("teacher"), -0.3 * std::log(0.8) - 0.7 * std::log(0.2), 1e-12);
  EXPECT_EQ(values.at("truth"), 0) << "the teacher's word goes before the truth";
  const auto softened =
      parts(*make<DistillLoss>("black_box", "tau: 2"), logits, f64({0.5, 0.5}, 2), truth);
  EXPECT_NEAR(softened.at("teacher"), 4 * -0.5 * (std::log(2.0 / 3) + std::log(1.0 / 3)), 1e-12);
}

TEST(BlackBox, WeighsEveryClipTheSameWhoeverAnsweredForIt) {
  const auto logits = f64({0.8, 0.2, 0.3, 0.7, 0.6, 0.4}, 2).log();
  const auto truth = f64({kNaN, kNaN, kNaN, kNaN, 0, 1}, 2);
  const auto teacher = f64({1, 0, 1, 0, kNaN, kNaN}, 2);
  const auto mixed = parts(*make<DistillLoss>("black_box"), logits, teacher, truth);
  EXPECT_NEAR(mixed.at("truth") + mixed.at("teacher"),
              -(std::log(0.8) + std::log(0.3) + std::log(0.4)) / 3, 1e-12);
}

TEST(Hard, LearnsTheMostProbableClassWhereTheTeacherIsSure) {
  const auto logits = f64({0.8, 0.2, 0.8, 0.2, 0.8, 0.2}, 2).log();
  const auto teacher = f64({0.1, 0.9, 0.6, 0.4, 0.55, 0.45}, 2);
  const auto truth = f64({1, 0, 0, 1, kNaN, kNaN}, 2);
  const auto all = parts(*make<DistillLoss>("hard"), logits, teacher, truth);
  EXPECT_NEAR(all.at("teacher"), -(std::log(0.2) + 2 * std::log(0.8)) / 3, 1e-12);
  EXPECT_EQ(all.at("truth"), 0);
  const auto sure = parts(*make<DistillLoss>("hard", "threshold: 0.8"), logits, teacher, truth);
  EXPECT_NEAR(sure.at("teacher"), -std::log(0.2) / 2, 1e-12)
      << "one of the two clips that have a target";
  EXPECT_NEAR(sure.at("truth"), -std::log(0.2) / 2, 1e-12)
      << "the second clip falls back on its truth, the third on nothing";
}

TEST(LabelSmoothing, SpreadsEpsilonOverTheOtherClasses) {
  const auto logits = f64({0.7, 0.2, 0.1}, 3).log();
  const auto none = f64({kNaN, kNaN, kNaN}, 3);
  const auto loss = make<DistillLoss>("label_smoothing", "epsilon: 0.1");
  const double want = -(0.05 * std::log(0.7) + 0.9 * std::log(0.2) + 0.05 * std::log(0.1));
  EXPECT_NEAR(parts(*loss, logits, none, f64({0, 1, 0}, 3)).at("truth"), want, 1e-12);
  EXPECT_NEAR(parts(*loss, logits, f64({0.3, 0.4, 0.3}, 3), none).at("teacher"), want, 1e-12)
      << "a teacher's most probable class";
  EXPECT_EQ(parts(*loss, logits, f64({0.9, 0.1, 0}, 3), f64({0, 1, 0}, 3)).at("teacher"), 0)
      << "the truth goes first";
  EXPECT_FALSE(loss->needs_teacher());
}

TEST(TfKd, RegularisesByAHandMadeTeacher) {
  const auto q = f64({0.7, 0.2, 0.1}, 3);
  const auto none = f64({kNaN, kNaN, kNaN}, 3);
  // softmax((0.05, 0.9, 0.05) / 2)
  const double sure = std::exp(0.9 / 2);
  const double other = std::exp(0.05 / 2);
  const double sum = sure + 2 * other;
  const double divergence =
      sure / sum * std::log(sure / sum / 0.2) +
      other / sum * (std::log(other / sum / 0.7) + std::log(other / sum / 0.1));
  const auto values =
      parts(*make<DistillLoss>("tf_kd", "alpha: 0.3, tau: 2, correct: 0.9, multiplier: 5"), q.log(),
            none, f64({0, 1, 0}, 3));
  EXPECT_NEAR(values.at("truth"), -0.7 * std::log(0.2), 1e-12);
  EXPECT_NEAR(values.at("virtual"), 0.3 * 5 * divergence, 1e-12);
  EXPECT_EQ(values.at("teacher"), 0);
}

// loss_kd_self of the published code: (1 - alpha) CE + alpha tau^2 multiplier KLDivLoss, the last
// divided by clips and classes.
TEST(TfKd, SelfTrainingIsKdWithThePublishedMultiplier) {
  const auto logits = normal({3, 100}, 1);
  const auto teacher = normal({3, 100}, 2).softmax(1);
  const auto truth = torch::one_hot(torch::tensor({4, 0, 99}), 100).to(torch::kFloat64);
  const auto values = parts(*make<DistillLoss>("tf_kd"), logits, teacher, truth);
  const auto p = softened(default_task(), teacher, 6);
  const auto q = (logits / 6).log_softmax(1);
  const double mean_reduced = (p * (p.log() - q)).mean().item<double>();
  EXPECT_NEAR(values.at("teacher"), 0.95 * 36 * 50 * mean_reduced, 1e-12);
  EXPECT_NEAR(values.at("truth"),
              0.05 * mean_loss(default_task(), logits, truth, torch::ones({3})).item<double>(),
              1e-12);
  EXPECT_EQ(values.at("virtual"), 0);
}

TEST(Dkd, MatchesThePublishedCode) {
  const auto table = parity_table("DKD");
  if (!table) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const auto truth =
      torch::one_hot(torch::tensor(table->at("labels").get<std::vector<int64_t>>()), 5)
          .to(torch::kFloat64);
  const auto& expected = table->at("expected");
  expect_published(*make<DistillLoss>("dkd", "truth: 0, alpha: 1, beta: 0"), *table, truth,
                   expected.at("tckd_alpha1_beta0"));
  expect_published(*make<DistillLoss>("dkd", "truth: 0, alpha: 0, beta: 1"), *table, truth,
                   expected.at("nckd_alpha0_beta1"));
  expect_published(*make<DistillLoss>("dkd", "truth: 0"), *table, truth,
                   expected.at("published_alpha1_beta8"));
}

// methods 12, note 2: KL(p_t || p_s) = TCKD + (1 - p_t[y]) NCKD, at the same temperature.
TEST(Dkd, IsKdWhereItsPartsAreWeighedByTheTeachersDoubt) {
  for (int64_t clip = 0; clip < 4; ++clip) {
    const auto logits = 2 * normal({1, 5}, 10 + static_cast<uint64_t>(clip));
    const auto teacher = (2 * normal({1, 5}, 20 + static_cast<uint64_t>(clip))).softmax(1);
    const auto truth = torch::one_hot(torch::tensor({clip}), 5).to(torch::kFloat64);
    for (const double tau : {1.0, 4.0}) {
      const double doubt = 1 - softened(default_task(), teacher, tau)[0][clip].item<double>();
      const auto decoupled =
          parts(*make<DistillLoss>("dkd", fmt::format("tau: {}, alpha: 1, beta: {}", tau, doubt)),
                logits, teacher, truth);
      const auto whole = parts(*make<DistillLoss>("kd", fmt::format("tau: {}, alpha: 1", tau)),
                               logits, teacher, truth);
      EXPECT_NEAR(decoupled.at("target") + decoupled.at("others"), whole.at("teacher"), 1e-12);
    }
  }
}

TEST(Dkd, TakesTheTeachersClassWhereTheTruthIsUnknown) {
  const auto logits = normal({3, 4}, 1);
  const auto teacher = (2 * normal({3, 4}, 2)).softmax(1);
  const auto guess = torch::one_hot(teacher.argmax(1), 4).to(torch::kFloat64);
  const auto loss = make<DistillLoss>("dkd", "truth: 0");
  EXPECT_EQ(parts(*loss, logits, teacher, unknown(teacher)), parts(*loss, logits, teacher, guess));
}

}  // namespace
}  // namespace distal
