// How much of their time do two clips share: the second starts 0 to T frames after the first; the
// label is the number of shared frames over T, one of 0, 1/T, ..., 1, and the loss (sigmoid(output)
// - label)^2. Deviations: the paper's rate is of space and time, and its code names one of five
// rates where this is a regression.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class Overlap final : public PretextTask {
 public:
  int64_t view_frames(int64_t frames) const override { return 2 * frames; }
  int64_t clips() const override { return 2; }
  int64_t outputs() const override { return 1; }

  torch::Tensor draw(int64_t views, int64_t frames, Random& random) const override {
    std::vector<float> labels;
    for (int64_t i = 0; i < views; ++i)
      labels.push_back(static_cast<float>(random.below(frames + 1)) / static_cast<float>(frames));
    return torch::tensor(labels);
  }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    std::vector<std::vector<int64_t>> rows;
    for (int64_t i = 0; i < views.size(0); ++i) {
      const int64_t shift =
          std::llround((1 - labels[i].item<double>()) * static_cast<double>(frames));
      const int64_t start = random.below(views.size(2) - frames - shift + 1);
      rows.emplace_back();
      for (const int64_t first : {start, start + shift}) {
        for (int64_t t = 0; t < frames; ++t) rows.back().push_back(first + t);
      }
    }
    return pick_frames(views, table(rows).view({views.size(0), 2, frames}));
  }

  torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& labels) const override {
    return (outputs.squeeze(1).sigmoid() - labels).square();
  }

  /// The variance of the label.
  double chance(int64_t frames) const override {
    return static_cast<double>(frames + 2) / static_cast<double>(12 * frames);
  }
};

extern const Entry<PretextTask> overlap;
const Entry<PretextTask> overlap = entry<PretextTask, Overlap>(
    "tells how much of their time two clips share",
    "Zhang et al., Contrastive Spatio-Temporal Pretext Learning for Self-Supervised Video "
    "Representation, AAAI 2022, arXiv 2112.08913");

}  // namespace distal::tasks
