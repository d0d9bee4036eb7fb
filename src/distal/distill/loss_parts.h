#pragma once
// The parts of a loss.

#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace distal {

/// Named parts of a loss. Training minimises their sum.
using Losses = std::vector<std::pair<std::string, torch::Tensor>>;
torch::Tensor total(const Losses& losses);

}  // namespace distal
