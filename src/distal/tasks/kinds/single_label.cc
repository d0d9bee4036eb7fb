// One label a clip: exactly one of K classes is true. A row of probabilities is a point of the
// simplex, from logits by softmax. The loss is the cross entropy
//
//   -sum_k p_k log softmax(z)_k,
//
// for hard labels -log softmax(z)_y. Label smoothing moves p to (1 - eps) p + eps / K (Szegedy et
// al., CVPR 2016, arXiv 1512.00567, section 7; others spread eps over the K - 1 wrong classes).

#include <algorithm>

#include <fmt/format.h>

#include "distal/base/error.h"
#include "distal/tasks/task.h"

namespace distal::kinds {
namespace {

constexpr double kTolerance = 1e-3;  // of a probability below 0, and of a sum

}  // namespace

class SingleLabel final : public Task {
 public:
  int64_t outputs(int64_t classes) const override { return classes; }

  bool knows(int64_t label, int64_t classes) const override {
    return label >= 0 && label < classes;
  }

  std::vector<float> target(int64_t label, int64_t classes) const override {
    expect(knows(label, classes), "a clip that is learned from has a label of its classes");
    std::vector<float> row(classes, 0);
    row[label] = 1;
    return row;
  }

  torch::Tensor smoothed(const torch::Tensor& targets, double smoothing) const override {
    if (smoothing == 0) return targets;
    return (1 - smoothing) * targets + smoothing / static_cast<double>(targets.size(1));
  }

  torch::Tensor probabilities(const torch::Tensor& logits) const override {
    return logits.softmax(-1);
  }

  torch::Tensor logits_of(const torch::Tensor& probabilities, double least) const override {
    return probabilities.clamp_min(least).log();
  }

  torch::Tensor loss(const torch::Tensor& logits, const torch::Tensor& targets) const override {
    const auto p =
        torch::where(known_rows(targets).unsqueeze(1), targets, torch::zeros_like(targets))
            .detach();
    return -(p.to(logits.dtype()) * logits.log_softmax(1)).sum(1);
  }

  torch::Tensor predicted(const torch::Tensor& scores) const override { return scores.argmax(-1); }

  torch::Tensor confidence(const torch::Tensor& probabilities) const override {
    return probabilities.amax(1);
  }

  torch::Tensor margin(const torch::Tensor& probabilities) const override {
    const auto top = std::get<0>(probabilities.topk(2, 1));
    return top.select(1, 0) - top.select(1, 1);
  }

  torch::Tensor entropy(const torch::Tensor& probabilities) const override {
    return -torch::xlogy(probabilities, probabilities).sum(1);
  }

  std::optional<Invalid> invalid(const torch::Tensor& answers) const override {
    const auto finite = torch::isfinite(answers).all(1);
    const auto first = [&](const torch::Tensor& good) {  // finite and not good; -1: none
      const auto bad = good.logical_not().logical_and(finite).nonzero();
      return bad.numel() > 0 ? bad[0][0].item<int64_t>() : -1;
    };
    if (const int64_t row = first((answers >= -kTolerance).all(1)); row >= 0)
      return Invalid{row, fmt::format("probabilities lie below 0, the least is {:g}",
                                      answers[row].min().item<double>())};
    if (const int64_t row = first((answers.sum(1) - 1).abs() <= kTolerance); row >= 0)
      return Invalid{row, fmt::format("probabilities do not sum to 1 but to {:g}",
                                      answers[row].sum().item<double>())};
    return std::nullopt;
  }

  torch::Tensor normalised(const torch::Tensor& answers) const override {
    const auto p = answers.clamp_min(0);
    return p / p.sum(1, /*keepdim=*/true);
  }

  std::vector<std::string> metrics() const override {
    return {"accuracy", "video_accuracy", "mean_class_accuracy", "nll", "ece"};
  }
};

extern const Entry<Task> single_label;
const Entry<Task> single_label = entry<Task, SingleLabel>(
    "one label a clip, one of K classes",
    "J. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990");

}  // namespace distal::kinds
