#include "distal/models/model.h"

#include <ATen/ATen.h>

namespace distal {

std::vector<std::pair<std::string, at::Tensor>> state(const torch::nn::Module& net) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& row : net.named_parameters()) tensors.emplace_back(row.key(), row.value());
  for (const auto& row : net.named_buffers()) tensors.emplace_back(row.key(), row.value());
  return tensors;
}

int64_t parameter_count(const Net& net) {
  int64_t count = 0;
  for (const auto& parameter : net.parameters()) count += parameter.numel();
  return count;
}

}  // namespace distal
