#include "distal/tasks/task.h"

namespace distal {

int64_t Task::predicted(std::span<const float> row) const {
  const auto scores = torch::from_blob(const_cast<float*>(row.data()),  // which is only read
                                       {std::ssize(row)}, torch::kFloat32);
  return predicted(scores).item<int64_t>();
}

const Task& default_task() {
  static const std::shared_ptr<const Task> task = make<Task>("single_label");
  return *task;
}

torch::Tensor known_rows(const torch::Tensor& rows) { return rows.isnan().any(1).logical_not(); }

torch::Tensor softened(const Task& task, const torch::Tensor& probabilities, double tau) {
  return task.probabilities(task.logits_of(probabilities, 1e-8) / tau);
}

torch::Tensor divergence(const Task& task, const torch::Tensor& logits,
                         const torch::Tensor& probabilities) {
  const auto certainty = (-task.entropy(probabilities)).nan_to_num(0);
  return task.loss(logits, probabilities) + certainty.detach();
}

}  // namespace distal
