#include "distal/distill/loss.h"

#include "distal/base/error.h"

namespace distal {

torch::Tensor total(const Losses& losses) {
  expect(!losses.empty(), "a loss has at least one part");
  torch::Tensor sum = losses.front().second;
  for (size_t i = 1; i < losses.size(); ++i) sum = sum + losses[i].second;
  return sum;
}

torch::Tensor at_least_float32(const torch::Tensor& logits) {
  return logits.scalar_type() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
}

torch::Tensor known_rows(const torch::Tensor& rows) { return rows.isnan().any(1).logical_not(); }

torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& weights,
                            const torch::Tensor& applies, const torch::Tensor& counted) {
  const auto w = weights.to(values.dtype()).detach();
  const auto sum = (w * counted).sum();
  return (w * applies * values).sum() / torch::where(sum > 0, sum, torch::ones_like(sum));
}

torch::Tensor cross_entropy_rows(const torch::Tensor& logits, const torch::Tensor& probabilities) {
  const auto p = torch::where(known_rows(probabilities).unsqueeze(1), probabilities,
                              torch::zeros_like(probabilities))
                     .detach();
  return -(p.to(logits.dtype()) * logits.log_softmax(1)).sum(1);
}

torch::Tensor divergence_rows(const torch::Tensor& logits, const torch::Tensor& probabilities) {
  const auto entropy = -torch::xlogy(probabilities, probabilities).sum(1).nan_to_num(0);
  return cross_entropy_rows(logits, probabilities) - entropy.detach();
}

torch::Tensor likely_classes(const Lesson& lesson) {
  const auto of = [](const torch::Tensor& probabilities) {
    return probabilities.nan_to_num(0).argmax(1);
  };
  return torch::where(known_rows(lesson.truth), of(lesson.truth), of(lesson.teacher));
}

torch::Tensor smoothed(const torch::Tensor& probabilities, double smoothing) {
  if (smoothing == 0) return probabilities;
  return (1 - smoothing) * probabilities + smoothing / static_cast<double>(probabilities.size(1));
}

torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& probabilities,
                                 const torch::Tensor& weights, double smoothing) {
  return weighted_mean(
      cross_entropy_rows(at_least_float32(logits), smoothed(probabilities, smoothing)), weights,
      known_rows(probabilities), known_rows(probabilities));
}

torch::Tensor retemper(const torch::Tensor& probabilities, double tau) {
  return (probabilities.clamp_min(1e-8).log() / tau).softmax(1);
}

Losses answer_losses(const Lesson& lesson, double tau) {
  const auto z = at_least_float32(lesson.student.logits);
  const auto teacher = lesson.teacher.detach();
  const auto has_teacher = known_rows(teacher);
  const auto p = tau == 1 ? teacher : retemper(teacher.to(z.dtype()), tau);
  const auto rows = tau * tau * cross_entropy_rows(z / tau, p);
  const auto has_truth = known_rows(lesson.truth) & ~has_teacher;
  return {{"truth", weighted_mean(cross_entropy_rows(z, lesson.truth), lesson.weights, has_truth,
                                  has_truth | has_teacher)},
          {"teacher", weighted_mean(rows, lesson.weights, has_teacher, has_truth | has_teacher)}};
}

}  // namespace distal
