#pragma once
// The conformance suite of losses. A GoogleTest program can run it on other losses. In one source
// file:
//
//   #include <distal/distill/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryLoss, ::testing::Values("mine"));
//   }
//
// The parameter is the name of the loss in the catalogue. The test uses its default options. Load
// plugins before InitGoogleTest.

#include <cmath>
#include <set>

#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/distill/testing_lessons.h"

namespace distal {

// Six clips of four classes. Two clips have no answer of the teacher, three have no label, and one
// has neither.
class EveryLoss : public ::testing::TestWithParam<std::string> {
 protected:
  // Options that some losses need in this test: names of maps, several losses.
  static std::string options_of(const std::string& name) {
    if (name == "hint" || name == "sp") return "map: deep, teacher_map: wide";
    if (name == "at") return "maps: [deep, frames], teacher_maps: [wide, wide]";
    if (name == "sum")
      return "of: [kd, rkd, crd], kd: {tau: 2}, rkd: {weight: 2, warmup: 0.5}, crd: {size: 3}";
    if (name == "crd") return "size: 3";
    return "";
  }

  EveryLoss() {
    lesson_ = lesson_of(normal({6, 4}, 11), mixed_teacher(), mixed_truth());
    lesson_.weights = torch::tensor({1.0, 2.0, 0.5, 1.0, 3.0, 1.0}, torch::kFloat64);
    lesson_.progress = 0.25;
    lesson_.student.embedding = normal({6, 5}, 13);
    lesson_.teacher_embedding = normal({6, 7}, 14);
    lesson_.student_maps = {{"deep", normal({6, 3, 2, 2, 4}, 15)},
                            {"frames", normal({12, 2, 3, 3}, 16)}};
    lesson_.teacher_maps = {{"wide", normal({6, 4, 2, 3, 2}, 17)}};
    give_parts(lesson_);
  }

  // The module of the loss in float64, with the batch in its memory bank.
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
    const auto pick =
        [&](torch::Tensor& tensor) {  // a map has one row for a clip, or one for each of its frames
          const int64_t frames = tensor.size(0) / lesson.weights.size(0);
          tensor = tensor.unflatten(0, {lesson.weights.size(0), frames})
                       .index_select(0, order)
                       .flatten(0, 1);
        };
    for (auto* tensor : of_student(picked)) pick(*tensor);
    for (auto* tensor :
         {&picked.teacher, &picked.truth, &picked.weights, &picked.rows, &picked.teacher_embedding})
      pick(*tensor);
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
    lesson.student_maps = {{"deep", lesson.teacher_maps["wide"].clone()},
                           {"frames", lesson.teacher_maps["wide"].clone()}};
    give_parts(lesson);
    return lesson;
  }

  const std::shared_ptr<const DistillLoss> loss_ =
      make<DistillLoss>(GetParam(), options_of(GetParam()));
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

TEST_P(EveryLoss, IsLeastWhenTheStudentEqualsTheTeacher) {
  const std::string name = GetParam();
  if (name == "label_smoothing") GTEST_SKIP() << "uses a teacher's label alone, and smooths it";
  if (name == "hint" || name == "crd" || name == "sum")
    GTEST_SKIP() << "compares through layers that are learned";
  const auto sure = 12.0 * torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  std::vector<torch::Tensor> teachers = {sure};
  if (name != "hard")
    teachers.push_back(normal({6, 4}, 5));  // pseudo-labels want a sure student, not an equal one
  for (const auto& teacher : teachers) {
    const Lesson same = equal(teacher);
    Lesson watched = same;
    for (auto* tensor : of_student(watched)) *tensor = tensor->clone().requires_grad_();
    const auto least = total(loss_->losses(watched));
    least.backward();
    for (auto* tensor : of_student(watched))
      EXPECT_TRUE(!tensor->grad().defined() || tensor->grad().abs().max().item<double>() < 1e-4);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Lesson other = same;
      for (auto* tensor : of_student(other))
        *tensor = *tensor + normal(tensor->sizes().vec(), 100 + seed) * (name == "hard" ? 8 : 0.3);
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
      EXPECT_NEAR(gradient.reshape(-1)[i].item<double>(), slope, 1e-7 * (1 + largest))
          << "tensor " << t << " element " << i;
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
  for (auto* tensor : of_teacher)
    EXPECT_FALSE(tensor->grad().defined() &&
                 tensor->grad().nan_to_num(1).abs().sum().item<double>() > 0);
}

TEST_P(EveryLoss, DoesNotDependOnTheOrderOfTheBatch) {
  const double wanted = value(lesson_);
  EXPECT_NEAR(value(at(lesson_, torch::tensor({4, 2, 0, 5, 1, 3}))), wanted,
              1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, CountsAClipOfWeightTwoAsTwoClips) {
  Lesson twice = at(lesson_, torch::tensor({0, 1, 1, 2, 3, 4, 4, 5}));
  Lesson heavy = lesson_;
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
    tensor->unflatten(0, {6, tensor->size(0) / 6})[3] +=
        0.5 * normal(tensor->unflatten(0, {6, tensor->size(0) / 6})[3].sizes().vec(), 77);
  }
  const double wanted = value(silent);
  EXPECT_NEAR(value(moved), wanted, 1e-12 * (1 + std::abs(wanted)));
}

TEST_P(EveryLoss, UsesTheTruthAloneWhereTheTeacherIsSilent) {
  Lesson lesson = lesson_;
  lesson.teacher = unknown(lesson.teacher);
  lesson.truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  const double truth =
      mean_loss(*lesson.task, lesson.student.logits, lesson.truth, lesson.weights).item<double>();
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
  for (auto* tensor : {&half.teacher, &half.truth, &half.weights, &half.teacher_embedding})
    *tensor = tensor->to(torch::kFloat32);
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
    for (auto* tensor : of_student(flat))
      *tensor = torch::full_like(*tensor, height).requires_grad_();
    const auto loss = total(loss_->losses(flat));
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    for (auto* tensor : of_student(flat))
      EXPECT_TRUE(!tensor->grad().defined() || tensor->grad().abs().max().item<double>() < 1e6);
  }
}

TEST_P(EveryLoss, ItsNeedsAreTold) {
  Lesson bare = lesson_;
  if (!loss_->needs_maps()) {
    bare.student_maps.clear();
    bare.teacher_maps.clear();
  }
  if (!loss_->needs_teacher_network()) bare.teacher_embedding = torch::Tensor();
  EXPECT_EQ(value(bare), value(lesson_));
  EXPECT_TRUE(loss_->needs_teacher_network() || !loss_->needs_maps());
}

}  // namespace distal
