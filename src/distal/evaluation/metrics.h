#pragma once
// What is measured on a test set. Every number is of the clips that could be read; the others are
// counted elsewhere.

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/evaluation/results.h"

namespace distal {

/// logits float32 [M, K] of the clips at `rows` (int64 [M]) of the test list. Throws Error when M
/// is 0.
Metrics measure(const torch::Tensor& logits, const torch::Tensor& rows,
                const std::vector<Clip>& test);

}  // namespace distal
