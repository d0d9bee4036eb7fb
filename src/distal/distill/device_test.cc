// Every loss on a device whose memory the CPU may not read: the values and gradients of the CPU.

#include "distal/models/device.h"
#include "distal/base/catalogue.h"
#include "distal/distill/features.h"
#include "distal/distill/testing.h"
#include "support/fake_device.h"

namespace distal {
namespace {

// Options where a loss needs some: maps that its networks have, several losses, fewer negatives
// than clips.
std::string options_of(const std::string& name) {
  if (name == "hint" || name == "sp") return "map: deep, teacher_map: wide";
  if (name == "at") return "maps: [deep, frames], teacher_maps: [wide, wide]";
  if (name == "sum")
    return "of: [kd, rkd, crd], kd: {tau: 2}, rkd: {weight: 2, warmup: 0.5}, crd: {size: 3}";
  if (name == "crd") return "size: 3, negatives: 4";
  return "";
}

// Six clips of four classes, whose teacher was silent about two and whose truth is known of three.
Lesson drawn_lesson() {
  auto teacher = (2 * normal({6, 4}, 12)).softmax(1);
  teacher.slice(0, 1, 3).fill_(kNaN);
  auto truth = torch::one_hot(torch::tensor({0, 3, 1, 2, 0, 1}), 4).to(torch::kFloat64);
  truth.slice(0, 2, 5).fill_(kNaN);
  Lesson lesson = lesson_of(normal({6, 4}, 11), teacher, truth);
  lesson.progress = 0.25;
  lesson.student.embedding = normal({6, 5}, 13);
  lesson.teacher_embedding = normal({6, 7}, 14);
  lesson.student_maps = {{"deep", normal({6, 3, 2, 2, 4}, 15)},
                         {"frames", normal({12, 2, 3, 3}, 16)}};
  lesson.teacher_maps = {{"wide", normal({6, 4, 2, 3, 2}, 17)}};
  return lesson;
}

Lesson on_device(Lesson lesson, const torch::Device& device) {
  for (auto* tensor : {&lesson.student.logits, &lesson.student.embedding, &lesson.teacher,
                       &lesson.truth, &lesson.weights, &lesson.rows, &lesson.teacher_embedding}) {
    *tensor = tensor->to(device);
  }
  for (auto* maps : {&lesson.student_maps, &lesson.teacher_maps}) {
    for (auto& [name, map] : *maps) map = map.to(device);
  }
  return lesson;
}

class EveryLossOnDevice : public ::testing::TestWithParam<std::string> {
 protected:
  struct Learned {
    std::vector<double> losses;                  // of the parts, batch by batch
    std::vector<torch::Tensor> gradients, bank;  // of the student; buffers of the parts
  };

  // The student a little further on, as leaves of a graph: logits, embedding, maps.
  static std::vector<torch::Tensor> move_student(Lesson& lesson) {
    std::vector<torch::Tensor*> tensors = {&lesson.student.logits, &lesson.student.embedding};
    for (auto& [name, map] : lesson.student_maps) tensors.push_back(&map);
    std::vector<torch::Tensor> leaves;
    for (auto* tensor : tensors) {
      *tensor = (tensor->detach() * 0.9).requires_grad_();
      leaves.push_back(*tensor);
    }
    return leaves;
  }

  // Three batches, each remembered.
  Learned learn(const torch::Device& device) const {
    const auto loss = make<DistillLoss>(GetParam(), options_of(GetParam()));
    torch::manual_seed(3);
    Lesson lesson = on_device(drawn_lesson(), device);
    const auto parts = loss->parts(lesson, /*samples=*/9, Random(5));
    if (parts) {
      parts->to(torch::kFloat64);
      parts->to(device);
    }
    lesson.parts = parts.get();
    Learned learned;
    for (int batch = 0; batch < 3; ++batch) {
      const std::vector<torch::Tensor> leaves = move_student(lesson);
      const Losses all = loss->losses(lesson);
      for (const auto& [name, part] : all) {
        EXPECT_EQ(part.device(), device) << name;
        learned.losses.push_back(part.item<double>());
      }
      total(all).backward();
      for (const auto& leaf : leaves) {
        if (leaf.grad().defined()) learned.gradients.push_back(on_cpu(leaf.grad()));
      }
      const torch::NoGradGuard no_grad;
      loss->remember(lesson);
    }
    if (!parts) return learned;
    for (const auto& buffer : parts->buffers()) learned.bank.push_back(on_cpu(buffer));
    return learned;
  }
};

TEST_P(EveryLossOnDevice, IsWhatItIsOnTheCpu) {
  const Learned here = learn(torch::kCPU);
  const Learned there = learn(fake_device());
  ASSERT_EQ(there.losses.size(), here.losses.size());
  for (size_t i = 0; i < here.losses.size(); ++i) {
    EXPECT_NEAR(there.losses[i], here.losses[i], 1e-10 * (1 + std::abs(here.losses[i])));
  }
  ASSERT_FALSE(here.gradients.empty());
  ASSERT_EQ(there.gradients.size(), here.gradients.size());
  for (size_t i = 0; i < here.gradients.size(); ++i) {
    EXPECT_TRUE(torch::allclose(there.gradients[i], here.gradients[i], 1e-9, 1e-12));
  }
  ASSERT_EQ(there.bank.size(), here.bank.size());
  for (size_t i = 0; i < here.bank.size(); ++i)
    EXPECT_TRUE(torch::allclose(there.bank[i], here.bank[i], 1e-9, 1e-12));
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<DistillLoss>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Losses, EveryLossOnDevice, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace distal
