#pragma once
// What is measured on a test set. Every number is of the clips that could be read; the others are
// counted elsewhere.

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/evaluation/results.h"
#include "distal/tasks/task.h"

namespace distal {

/// logits float32 [M, K] of the clips at `rows` (int64 [M]) of the test list. The numbers are those
/// that the task names (Task::metrics); others stay 0. Throws Error when M is 0; a broken promise:
/// a metric that nobody computes.
Metrics measure(const torch::Tensor& logits, const torch::Tensor& rows,
                const std::vector<Clip>& test, const Task& task = default_task());

}  // namespace distal
