// Order of clips: some clips of T frames each, `gap` apart, stand in one of all their orders; a
// class for each. Deviation: the head is one linear layer on the features side by side, where the
// paper has pairs of features through a hidden layer.

#include <numeric>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class ClipOrder final : public PretextTask {
 public:
  struct Options {
    int64_t clips = 3;
    double gap = 0.5;
    void visit(OptionVisitor& v) const {
      v("clips", clips, "clips to be ordered; n! classes", between(2, 4));
      v("gap", gap, "distance between two clips, in clip lengths", between(0, 8));
    }
    bool operator==(const Options&) const = default;
  };
  explicit ClipOrder(const Options& options) {
    std::vector<int64_t> order(options.clips);
    std::iota(order.begin(), order.end(), 0);
    do orders_.push_back(order);
    while (std::next_permutation(order.begin(), order.end()));
    gap_ = options.gap;
  }

  int64_t view_frames(int64_t frames) const override {
    return (clips() - 1) * step(frames) + frames;
  }
  int64_t clips() const override { return std::ssize(orders_.front()); }
  int64_t outputs() const override { return std::ssize(orders_); }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    std::vector<std::vector<int64_t>> rows;
    for (int64_t i = 0; i < views.size(0); ++i) {
      const int64_t start = random.below(views.size(2) - view_frames(frames) + 1);
      rows.emplace_back();
      for (const int64_t clip : orders_.at(labels[i].item<int64_t>())) {
        for (int64_t t = 0; t < frames; ++t) rows.back().push_back(start + clip * step(frames) + t);
      }
    }
    return pick_frames(views, table(rows).view({views.size(0), clips(), frames}));
  }

 private:
  int64_t step(int64_t frames) const {
    return frames + std::llround(gap_ * static_cast<double>(frames));
  }
  std::vector<std::vector<int64_t>> orders_;  // class to order, the true one first
  double gap_ = 0;
};

extern const Entry<PretextTask> clip_order;
const Entry<PretextTask> clip_order =
    entry<PretextTask, ClipOrder>("tells in which order some clips of a video happened",
                                  "Xu et al., Self-Supervised Spatiotemporal Learning via Video "
                                  "Clip Order Prediction, CVPR 2019");

}  // namespace distal::tasks
