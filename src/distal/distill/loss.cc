#include "distal/distill/loss.h"

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {

torch::Tensor total(const Losses& losses) {
  expect(!losses.empty(), "a loss has at least one part");
  torch::Tensor sum = losses.front().second;
  for (size_t i = 1; i < losses.size(); ++i) sum = sum + losses[i].second;
  return sum;
}

std::shared_ptr<torch::nn::Module> DistillLoss::parts(const Lesson&, int64_t, Random) const {
  return nullptr;
}

torch::Tensor at_least_float32(const torch::Tensor& logits) {
  return logits.scalar_type() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
}

torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& weights,
                            const torch::Tensor& applies, const torch::Tensor& counted) {
  const auto w = weights.to(values.dtype()).detach();
  const auto sum = (w * counted).sum();
  return (w * applies * values).sum() / torch::where(sum > 0, sum, torch::ones_like(sum));
}

torch::Tensor likely_classes(const Lesson& lesson) {
  const auto of = [&](const torch::Tensor& probabilities) {
    return lesson.task->predicted(probabilities.nan_to_num(0));
  };
  return torch::where(known_rows(lesson.truth), of(lesson.truth), of(lesson.teacher));
}

torch::Tensor mean_loss(const Task& task, const torch::Tensor& logits, const torch::Tensor& targets,
                        const torch::Tensor& weights, double smoothing) {
  return weighted_mean(task.loss(at_least_float32(logits), task.smoothed(targets, smoothing)),
                       weights, known_rows(targets), known_rows(targets));
}

Losses answer_losses(const Lesson& lesson, double tau) {
  const Task& task = *lesson.task;
  const auto z = at_least_float32(lesson.student.logits);
  const auto teacher = lesson.teacher.detach();
  const auto has_teacher = known_rows(teacher);
  const auto p = tau == 1 ? teacher : softened(task, teacher.to(z.dtype()), tau);
  const auto rows = tau * tau * task.loss(z / tau, p);
  const auto has_truth = known_rows(lesson.truth) & ~has_teacher;
  return {{"truth", weighted_mean(task.loss(z, lesson.truth), lesson.weights, has_truth,
                                  has_truth | has_teacher)},
          {"teacher", weighted_mean(rows, lesson.weights, has_teacher, has_truth | has_teacher)}};
}

}  // namespace distal
