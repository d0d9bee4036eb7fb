// The helpers by hand, and the promises of every distillation loss of the catalogue.

#include <set>

#include "distal/base/testing.h"
#include "distal/distill/features.h"
#include "distal/distill/testing.h"

namespace distal {
namespace {

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

// methods 12, note 3: softmax(z / tau) = normalise(softmax(z)^(1 / tau)).
TEST(Retemper, RecreatesTheTemperatureOfTheLogits) {
  const auto z = 2 * normal({7, 5}, 3);
  for (const double tau : {0.5, 1.0, 4.0, 20.0})
    EXPECT_LT((retemper(z.softmax(1), tau) - (z / tau).softmax(1)).abs().max().item<double>(), 1e-12) << tau;
  EXPECT_TRUE(torch::isfinite(retemper(f64({1, 0}, 2), 4)).all().item<bool>());
}

TEST(Total, AddsTheParts) {
  EXPECT_DOUBLE_EQ(total({{"a", torch::tensor(1.5)}, {"b", torch::tensor(2.0)}}).item<double>(), 3.5);
}

// Options where the family's example needs some: maps that its networks have, several losses.
std::string options_of(const std::string& name) {
  if (name == "hint" || name == "sp") return "map: deep, teacher_map: wide";
  if (name == "at") return "maps: [deep, frames], teacher_maps: [wide, wide]";
  if (name == "sum") return "of: [kd, rkd, crd], kd: {tau: 2}, rkd: {weight: 2, warmup: 0.5}, crd: {size: 3}";
  if (name == "crd") return "size: 3";
  return "";
}

// Six clips of four classes. The teacher was silent about two, the truth of three is unknown; one clip has neither.
class EveryLoss : public ::testing::TestWithParam<std::string> {
 protected:
  EveryLoss() {
    lesson_ = lesson_of(normal({6, 4}, 11), mixed_teacher(), mixed_truth());
    lesson_.weights = torch::tensor({1.0, 2.0, 0.5, 1.0, 3.0, 1.0}, torch::kFloat64);
    lesson_.progress = 0.25;
    lesson_.student.embedding = normal({6, 5}, 13);
    lesson_.teacher_embedding = normal({6, 7}, 14);
    lesson_.student_maps = {{"deep", normal({6, 3, 2, 2, 4}, 15)}, {"frames", normal({12, 2, 3, 3}, 16)}};
    lesson_.teacher_maps = {{"wide", normal({6, 4, 2, 3, 2}, 17)}};
    give_parts(lesson_);
  }

  // What the loss trains, in float64, and a bank that has seen the batch.
  void give_parts(Lesson& lesson) {
    const torch::NoGradGuard no_grad;
    parts_ = loss_->parts(lesson, /*samples=*/9, Random(5));
    if (parts_) parts_->to(torch::kFloat64);
    lesson.parts = parts_.get();
    loss_->remember(lesson);
  }

  double value(const Lesson& lesson) const { return total(loss_->losses(lesson)).item<double>(); }

  static std::vector<torch::Tensor*> of_student(Lesson& lesson) {
    std::vector<torch::Tensor*> tensors = {&lesson.student.logits, &lesson.student.embedding};
    for (auto& [name, map] : lesson.student_maps) tensors.push_back(&map);
    return tensors;
  }

  // The lesson of these clips, in this order.
  static Lesson at(const Lesson& lesson, const torch::Tensor& order) {
    Lesson picked = lesson;
    const auto pick = [&](torch::Tensor& tensor) {  // a map has one row for a clip, or one for each of its frames
      const int64_t frames = tensor.size(0) / lesson.weights.size(0);
      tensor = tensor.unflatten(0, {lesson.weights.size(0), frames}).index_select(0, order).flatten(0, 1);
    };
    for (auto* tensor : of_student(picked)) pick(*tensor);
    for (auto* tensor : {&picked.teacher, &picked.truth, &picked.weights, &picked.rows, &picked.teacher_embedding}) pick(*tensor);
    for (auto& [name, map] : picked.teacher_maps) pick(map);
    return picked;
  }

  // A student that equals its teacher in everything.
  Lesson equal(const torch::Tensor& logits) {
    Lesson lesson = lesson_;
    lesson.student.logits = logits.clone();
    lesson.teacher = logits.softmax(1);
    lesson.truth = unknown(lesson.truth);
    lesson.student.embedding = lesson.teacher_embedding.clone();
    lesson.student_maps = {{"deep", lesson.teacher_maps["wide"].clone()}, {"frames", lesson.teacher_maps["wide"].clone()}};
    give_parts(lesson);
    return lesson;
  }

  const std::shared_ptr<const DistillLoss> loss_ = make<DistillLoss>(GetParam(), options_of(GetParam()));
  std::shared_ptr<torch::nn::Module> parts_;
  Lesson lesson_;

  static torch::Tensor mixed_teacher() {
    auto p = (2 * normal({6, 4}, 12)).softmax(1);
    p.slice(0, 1, 3).fill_(kNaN);
    return p;
  }
  static torch::Tensor mixed_truth() {
    auto truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
    truth.slice(0, 2, 5).fill_(kNaN);
    return truth;
  }
};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<DistillLoss>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryLoss, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

TEST_P(EveryLoss, IsLeastWhenTheStudentEqualsTheTeacher) {
  const std::string name = GetParam();
  if (name == "label_smoothing") GTEST_SKIP() << "uses a teacher's label alone, and smooths it";
  if (name == "hint" || name == "crd" || name == "sum") GTEST_SKIP() << "compares through layers that are learned";
  const auto sure = 12.0 * torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  std::vector<torch::Tensor> teachers = {sure};
  if (name != "hard") teachers.push_back(normal({6, 4}, 5));  // pseudo-labels want a sure student, not an equal one
  for (const auto& teacher : teachers) {
    const Lesson same = equal(teacher);
    Lesson watched = same;
    for (auto* tensor : of_student(watched)) *tensor = tensor->clone().requires_grad_();
    const auto least = total(loss_->losses(watched));
    least.backward();
    for (auto* tensor : of_student(watched)) EXPECT_TRUE(!tensor->grad().defined() || tensor->grad().abs().max().item<double>() < 1e-4);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Lesson other = same;
      for (auto* tensor : of_student(other)) *tensor = *tensor + normal(tensor->sizes().vec(), 100 + seed) * (name == "hard" ? 8 : 0.3);
      EXPECT_GT(value(other), least.item<double>());
    }
  }
}

TEST_P(EveryLoss, HasTheGradientOfFiniteDifferences) {
  Lesson watched = lesson_;
  for (auto* tensor : of_student(watched)) *tensor = tensor->clone().requires_grad_();
  total(loss_->losses(watched)).backward();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  bool moves = false;
  for (size_t t = 0; t < of_student(watched).size(); ++t) {
    const auto& tensor = *of_student(watched)[t];
    const auto gradient = tensor.grad().defined() ? tensor.grad() : torch::zeros_like(tensor);
    const double largest = gradient.abs().max().item<double>();
    moves |= largest > 1e-6;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      const auto moved = [&](double step) {
        Lesson lesson = lesson_;
        auto& target = *of_student(lesson)[t];
        target = target.clone();
        target.view(-1)[i] += step;
        return value(lesson);
      };
      const double slope = (moved(kStep) - moved(-kStep)) / (2 * kStep);
      EXPECT_NEAR(gradient.reshape(-1)[i].item<double>(), slope, 1e-7 * (1 + largest)) << "tensor " << t << " element " << i;
    }
  }
  EXPECT_TRUE(moves);
}

TEST_P(EveryLoss, GivesTheTeacherNoGradient) {
  Lesson watched = lesson_;
  for (auto* tensor : of_student(watched)) *tensor = tensor->clone().requires_grad_();
  std::vector<torch::Tensor*> of_teacher = {&watched.teacher, &watched.teacher_embedding};
  for (auto& [name, map] : watched.teacher_maps) of_teacher.push_back(&map);
  for (auto* tensor : of_teacher) *tensor = tensor->clone().requires_grad_();
  total(loss_->losses(watched)).backward();
  for (auto* tensor : of_teacher) EXPECT_FALSE(tensor->grad().defined() && tensor->grad().nan_to_num(1).abs().sum().item<double>() > 0);
}

TEST_P(EveryLoss, DoesNotDependOnTheOrderOfTheBatch) {
  const double wanted = value(lesson_);
  EXPECT_NEAR(value(at(lesson_, torch::tensor({4, 2, 0, 5, 1, 3}))), wanted, 1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, CountsAClipOfWeightTwoAsTwoClips) {
  Lesson twice = at(lesson_, torch::tensor({0, 1, 1, 2, 3, 4, 4, 5})), heavy = lesson_;
  twice.weights = torch::ones({8}, torch::kFloat64);
  heavy.weights = torch::tensor({1.0, 2.0, 1.0, 1.0, 2.0, 1.0}, torch::kFloat64);
  const double wanted = value(heavy);
  EXPECT_NEAR(value(twice), wanted, 1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, PassesOverAClipOfWeightZero) {
  Lesson silent = lesson_;
  silent.weights = silent.weights.clone();
  silent.weights[3] = 0;
  Lesson moved = silent;
  for (auto* tensor : of_student(moved)) {
    *tensor = tensor->clone();
    tensor->unflatten(0, {6, tensor->size(0) / 6})[3] += 0.5 * normal(tensor->unflatten(0, {6, tensor->size(0) / 6})[3].sizes().vec(), 77);
  }
  const double wanted = value(silent);
  EXPECT_NEAR(value(moved), wanted, 1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, UsesTheTruthAloneWhereTheTeacherIsSilent) {
  Lesson lesson = lesson_;
  lesson.teacher = unknown(lesson.teacher);
  lesson.truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  const double truth = soft_cross_entropy(lesson.student.logits, lesson.truth, lesson.weights).item<double>();
  if (!loss_->teaches_classes()) {
    EXPECT_EQ(value(lesson), 0);
  } else if (loss_->needs_teacher()) {
    EXPECT_NEAR(value(lesson), truth, 1e-12);
  } else {
    EXPECT_GT(value(lesson), 0);
  }
  lesson.truth = unknown(lesson.truth);
  EXPECT_EQ(value(lesson), 0);
}

TEST_P(EveryLoss, LearnsNoFeaturesOfAClipThatNobodyAskedAbout) {
  Lesson other = lesson_;  // the teacher was silent about clips 1 and 2
  other.teacher_embedding = other.teacher_embedding.clone();
  other.teacher_embedding.slice(0, 1, 3).fill_(9);
  other.teacher_maps["wide"] = other.teacher_maps["wide"].clone();
  other.teacher_maps["wide"].slice(0, 1, 3).fill_(9);
  const double wanted = value(lesson_);
  EXPECT_NEAR(value(other), wanted, 1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, NamesItsPartsAndComputesHalfPrecisionInFloat32) {
  Lesson half = lesson_;
  if (parts_) parts_->to(torch::kFloat32);
  for (auto* tensor : of_student(half)) *tensor = tensor->to(torch::kBFloat16);
  for (auto* tensor : {&half.teacher, &half.truth, &half.weights, &half.teacher_embedding}) *tensor = tensor->to(torch::kFloat32);
  for (auto& [name, map] : half.teacher_maps) map = map.to(torch::kFloat32);
  std::set<std::string> part_names;
  const auto parts = loss_->losses(half);
  for (const auto& [name, part] : parts) {
    part_names.insert(name);
    EXPECT_EQ(part.scalar_type(), torch::kFloat32) << name;
    EXPECT_EQ(part.dim(), 0) << name;
    EXPECT_TRUE(std::isfinite(part.item<float>())) << name;
  }
  EXPECT_EQ(part_names.size(), parts.size()) << "each has a name of its own";
  EXPECT_FALSE(part_names.contains(""));
}

// A dead or a collapsed student: every clip alike, or every feature 0.
TEST_P(EveryLoss, StaysFiniteWhereFeaturesCollapse) {
  for (const double height : {0.0, 0.7}) {
    Lesson flat = lesson_;
    for (auto* tensor : of_student(flat)) *tensor = torch::full_like(*tensor, height).requires_grad_();
    const auto loss = total(loss_->losses(flat));
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    for (auto* tensor : of_student(flat)) EXPECT_TRUE(!tensor->grad().defined() || tensor->grad().abs().max().item<double>() < 1e6);
  }
}

TEST_P(EveryLoss, ItsNeedsAreTold) {
  Lesson bare = lesson_;
  if (!loss_->needs_maps()) bare.student_maps.clear(), bare.teacher_maps.clear();
  if (!loss_->needs_teacher_network()) bare.teacher_embedding = torch::Tensor();
  EXPECT_EQ(value(bare), value(lesson_));
  EXPECT_TRUE(loss_->needs_teacher_network() || !loss_->needs_maps());
}

TEST(Losses, AreFoundByTheirFileNames) {
  EXPECT_THAT(names(), ::testing::IsSupersetOf({"at", "black_box", "crd", "dkd", "hard", "hint", "kd", "label_smoothing", "rkd", "sp", "sum", "tf_kd"}));
}

TEST(Features, SayWhichMapsThereAre) {
  Lesson lesson = lesson_of_features(normal({2, 3}, 1), normal({2, 4}, 2));
  lesson.student_maps = {{"layer2", normal({2, 3, 1, 2, 2}, 3)}, {"windows", normal({6, 3}, 4)}};
  EXPECT_EQ(error_of([&] { features(lesson, {"layer3", ""}, "at"); }),
            "loss at: the student has no map 'layer3'; it has: embedding, layer2");
}

TEST(Features, OfFramesAndOfVolumesAreBroughtToOneSize) {
  Lesson lesson = lesson_of_features(normal({2, 3}, 1), normal({2, 4}, 2));
  lesson.student_maps = {{"frames", normal({8, 3, 6, 2}, 3)}};            // four frames of each clip
  lesson.teacher_maps = {{"volume", normal({2, 5, 2, 3, 4}, 4)}};
  const Features both = of_one_size(features(lesson, {"frames", "volume"}, "hint"));
  EXPECT_EQ(both.student.sizes(), c10::IntArrayRef({2, 3, 2, 3, 2}));
  EXPECT_EQ(both.teacher.sizes(), c10::IntArrayRef({2, 5, 2, 3, 2}));
  const auto first = lesson.student_maps["frames"].slice(0, 0, 2).slice(2, 0, 2).slice(3, 0, 1);  // clip 0, frames 0 and 1, two rows, a column
  EXPECT_NEAR(both.student[0][1][0][0][0].item<double>(), first.select(1, 1).mean().item<double>(), 1e-12);
}

}  // namespace
}  // namespace distal
