#pragma once
// Random tensors and lessons for tests of losses.

#include <limits>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "distal/base/random.h"
#include "distal/distill/loss.h"

namespace distal {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// float64, standard normal.
inline torch::Tensor normal(const std::vector<int64_t>& sizes, uint64_t seed) {
  Random random(seed);
  const torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values;
}

inline torch::Tensor f64(const std::vector<double>& values, int64_t columns) {
  return torch::tensor(values, torch::kFloat64).view({-1, columns});
}

/// Unknown rows: NaN in the shape of `rows`.
inline torch::Tensor unknown(const torch::Tensor& rows) {
  return torch::full_like(rows.detach(), kNaN);
}

/// A lesson of logits and answers, with weights 1.
inline Lesson lesson_of(const torch::Tensor& logits, const torch::Tensor& teacher,
                        const torch::Tensor& truth) {
  Lesson lesson;
  lesson.student.logits = logits;
  lesson.teacher = teacher;
  lesson.truth = truth;
  lesson.weights = torch::ones({logits.size(0)}, torch::kFloat64);
  lesson.rows = torch::arange(logits.size(0));
  return lesson;
}

/// A lesson of features. The logits and the probabilities of the teacher are uniform.
inline Lesson lesson_of_features(const torch::Tensor& student, const torch::Tensor& teacher) {
  const auto even = torch::full({student.size(0), 2}, 0.5, torch::kFloat64);
  Lesson lesson = lesson_of(even.log(), even, unknown(even));
  lesson.student.embedding = student;
  lesson.teacher_embedding = teacher;
  return lesson;
}

inline std::map<std::string, double> values_of(const Losses& losses) {
  std::map<std::string, double> values;
  for (const auto& [name, part] : losses) values[name] = part.item<double>();
  return values;
}

}  // namespace distal
