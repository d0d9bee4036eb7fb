#pragma once
// A task for tests of those who must ask the task.

#include "distal/tasks/task.h"

namespace distal {

/// One label a clip, with every logit halved, half of the metrics, and no answer that is valid
/// where its first number is 1.
class HalfSure final : public Task {
 public:
  int64_t outputs(int64_t classes) const override { return task_.outputs(classes); }
  bool knows(int64_t label, int64_t classes) const override { return task_.knows(label, classes); }
  std::vector<float> target(int64_t label, int64_t classes) const override {
    return task_.target(label, classes);
  }
  torch::Tensor smoothed(const torch::Tensor& targets, double smoothing) const override {
    return task_.smoothed(targets, smoothing);
  }
  torch::Tensor probabilities(const torch::Tensor& logits) const override {
    return task_.probabilities(logits / 2);
  }
  torch::Tensor logits_of(const torch::Tensor& probabilities, double least) const override {
    return 2 * task_.logits_of(probabilities, least);
  }
  torch::Tensor loss(const torch::Tensor& logits, const torch::Tensor& targets) const override {
    return task_.loss(logits / 2, targets);
  }
  torch::Tensor predicted(const torch::Tensor& scores) const override {
    return task_.predicted(scores);
  }
  torch::Tensor confidence(const torch::Tensor& probabilities) const override {
    return task_.confidence(probabilities);
  }
  torch::Tensor margin(const torch::Tensor& probabilities) const override {
    return task_.margin(probabilities);
  }
  torch::Tensor entropy(const torch::Tensor& probabilities) const override {
    return task_.entropy(probabilities);
  }
  std::optional<Invalid> invalid(const torch::Tensor& answers) const override {
    const auto sure = (answers.select(1, 0) == 1).nonzero();
    if (sure.size(0) > 0) return Invalid{sure[0][0].item<int64_t>(), "nobody is so sure"};
    return task_.invalid(answers);
  }
  torch::Tensor normalised(const torch::Tensor& answers) const override {
    return task_.normalised(answers);
  }
  std::vector<std::string> metrics() const override { return {"accuracy", "nll"}; }

 private:
  const Task& task_ = default_task();
};

}  // namespace distal
