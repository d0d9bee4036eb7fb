#pragma once
// For tests of losses: drawn tensors, lessons, and the published numbers.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

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

inline torch::Tensor f64(const std::vector<double>& values, int64_t columns) { return torch::tensor(values, torch::kFloat64).view({-1, columns}); }

/// Nobody's word: NaN like `rows`.
inline torch::Tensor unknown(const torch::Tensor& rows) { return torch::full_like(rows.detach(), kNaN); }

/// A lesson of logits and answers, with weights 1.
inline Lesson lesson_of(const torch::Tensor& logits, const torch::Tensor& teacher, const torch::Tensor& truth) {
  Lesson lesson;
  lesson.student.logits = logits;
  lesson.teacher = teacher;
  lesson.truth = truth;
  lesson.weights = torch::ones({logits.size(0)}, torch::kFloat64);
  lesson.rows = torch::arange(logits.size(0));
  return lesson;
}

/// A lesson of features that the teacher answered for; the logits are even.
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

/// A table of losses_and_strategies.json in the folder of parity fixtures (DISTAL_PARITY_DIR); nothing where that is absent.
inline std::optional<nlohmann::json> parity_table(const std::string& name) {
  const char* set = std::getenv("DISTAL_PARITY_DIR");
  const auto folder = set ? std::filesystem::path(set) : std::filesystem::path(DISTAL_SOURCE_DIR) / ".." / "shared" / "reference" / "parity";
  std::ifstream file(folder / "losses_and_strategies.json");
  if (!file) return std::nullopt;
  const auto json = nlohmann::json::parse(file);
  for (const auto& table : json.at("tables"))
    if (table.at("name") == name) return table;
  return std::nullopt;
}

inline void append_numbers(const nlohmann::json& lists, std::vector<double>& values) {
  if (lists.is_array())
    for (const auto& inner : lists) append_numbers(inner, values);
  else
    values.push_back(lists.get<double>());
}

/// Nested lists of numbers as float64.
inline torch::Tensor tensor_of(const nlohmann::json& lists) {
  std::vector<int64_t> sizes;
  for (const auto* at = &lists; at->is_array(); at = &at->front()) sizes.push_back(static_cast<int64_t>(at->size()));
  std::vector<double> values;
  append_numbers(lists, values);
  return torch::tensor(values, torch::kFloat64).view(sizes);
}

}  // namespace distal
