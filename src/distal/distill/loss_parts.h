#pragma once
// What a training minimises, in named parts.

#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace distal {

/// Named parts of a loss; what is minimised is their sum.
using Losses = std::vector<std::pair<std::string, torch::Tensor>>;
torch::Tensor total(const Losses& losses);

}  // namespace distal
