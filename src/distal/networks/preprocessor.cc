#include "distal/networks/preprocessor.h"

#include <cmath>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/json.h"

namespace distal {
namespace {

std::optional<std::vector<double>> three_numbers(const nlohmann::json& config, const char* key) {
  if (!config.contains(key) || !config.at(key).is_array() || config.at(key).size() != 3)
    return std::nullopt;
  std::vector<double> numbers;
  for (const auto& value : config.at(key)) {
    if (!value.is_number()) return std::nullopt;
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

// Absent is true, as in Hugging Face's image processors.
bool does(const nlohmann::json& config, const char* key) {
  return !config.contains(key) || !config.at(key).is_boolean() || config.at(key).get<bool>();
}

std::optional<Preprocessor> preprocessor_of(const nlohmann::json& config) {
  if (!config.is_object()) return std::nullopt;
  Preprocessor found{does(config, "do_rescale") ? "unit" : "byte", {0, 0, 0}, {1, 1, 1}};
  if (config.contains("rescale_factor") && config.at("rescale_factor").is_number() &&
      std::abs(config.at("rescale_factor").get<double>() * 255 - 1) > 1e-6)
    return std::nullopt;
  if (!does(config, "do_normalize")) return found;
  const auto mean = three_numbers(config, "image_mean");
  const auto std = three_numbers(config, "image_std");
  if (!mean || !std || std::find(std->begin(), std->end(), 0) != std->end()) return std::nullopt;
  found.mean = *mean;
  found.std = *std;
  return found;
}

}  // namespace

std::optional<Preprocessor> preprocessor_beside(const std::string& file) {
  const auto path = std::filesystem::path(file).parent_path() / "preprocessor_config.json";
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;
  constexpr int64_t kMostBytes = 1 << 20;
  try {
    return preprocessor_of(parse_json(read_file(path.string(), kMostBytes), path.string()));
  } catch (const Error&) {  // another program's file, of no interest here
    return std::nullopt;
  }
}

}  // namespace distal
