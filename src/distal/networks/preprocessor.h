#pragma once
// How pixels are normalised, as Hugging Face writes it beside a network: preprocessor_config.json.

#include <optional>
#include <string>
#include <vector>

namespace distal {

struct Preprocessor {
  std::string range;  // as NetworkOptions::range: unit or byte
  std::vector<double> mean, std;
};
/// Of the folder of a network's file. Nothing: no such file, or it says something else than a
/// division by 255, a mean and a standard deviation.
std::optional<Preprocessor> preprocessor_beside(const std::string& file);

}  // namespace distal
