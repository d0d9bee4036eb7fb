#pragma once
// For tests of losses: drawn lessons, and the published numbers.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/distill/testing_lessons.h"

namespace distal {

/// A table of losses_and_strategies.json in the folder of parity fixtures (DISTAL_PARITY_DIR);
/// nothing where that is absent.
inline std::optional<nlohmann::json> parity_table(const std::string& name) {
  const char* set = std::getenv("DISTAL_PARITY_DIR");
  const auto folder =
      set ? std::filesystem::path(set)
          : std::filesystem::path(DISTAL_SOURCE_DIR) / ".." / "shared" / "reference" / "parity";
  std::ifstream file(folder / "losses_and_strategies.json");
  if (!file) return std::nullopt;
  const auto json = nlohmann::json::parse(file);
  for (const auto& table : json.at("tables")) {
    if (table.at("name") == name) return table;
  }
  return std::nullopt;
}

inline void append_numbers(const nlohmann::json& lists, std::vector<double>& values) {
  if (lists.is_array()) {
    for (const auto& inner : lists) append_numbers(inner, values);
  } else {
    values.push_back(lists.get<double>());
  }
}

/// Nested lists of numbers as float64.
inline torch::Tensor tensor_of(const nlohmann::json& lists) {
  std::vector<int64_t> sizes;
  for (const auto* at = &lists; at->is_array(); at = &at->front())
    sizes.push_back(static_cast<int64_t>(at->size()));
  std::vector<double> values;
  append_numbers(lists, values);
  return torch::tensor(values, torch::kFloat64).view(sizes);
}

}  // namespace distal
