// Order within a clip: its T frames are cut into equal chunks that stand in their order or in any
// other; two classes. `gap` frames are left out between two chunks, in both cases, because a jump
// at a border would otherwise give the answer away. With `orders` the task is to name which of a
// fixed list of orders it was (the first is the true one).

#include <numeric>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class Shuffle final : public PretextTask {
 public:
  struct Options {
    int64_t chunks = 4;
    int64_t gap = 1;
    int64_t orders = 0;
    void visit(OptionVisitor& v) const {
      v("chunks", chunks, "number of parts that are shuffled", between(2, 8));
      v("gap", gap, "number of omitted frames between two parts", between(0, 64));
      v("orders", orders, "number of fixed orders, one class each; 0: two classes, in order or not",
        between(0, 1000));
      int64_t all = 1;
      for (int64_t i = 2; i <= chunks; ++i) all *= i;
      if (orders == 1 || orders > all)
        throw UsageError(fmt::format(
            "{}: orders = {}; {} chunks have {} orders, write 2 to {}, or 0 for 'in order or not'",
            v.place(), orders, chunks, all, all));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Shuffle(const Options& options) : options_(options) {
    Random random(0);
    std::vector<int64_t> order(options.chunks);
    std::iota(order.begin(), order.end(), 0);
    for (; std::ssize(orders_) < options.orders; order = random.permutation(options.chunks)) {
      if (std::find(orders_.begin(), orders_.end(), order) == orders_.end())
        orders_.push_back(order);
    }
  }

  int64_t view_frames(int64_t frames) const override {
    if (frames < options_.chunks)
      fail("shuffle: {} frames cannot be cut into {} chunks; give input.sampling.frames at least "
           "{}, or fewer chunks",
           frames, options_.chunks, options_.chunks);
    return frames + (options_.chunks - 1) * options_.gap;
  }

  int64_t outputs() const override { return options_.orders > 0 ? options_.orders : 2; }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    std::vector<std::vector<int64_t>> rows;
    for (int64_t i = 0; i < views.size(0); ++i) {
      const int64_t start = random.below(views.size(2) - view_frames(frames) + 1);
      rows.emplace_back();
      for (const int64_t chunk : order_of(labels[i].item<int64_t>(), random)) {
        const int64_t first = chunk * frames / options_.chunks;
        const int64_t end = (chunk + 1) * frames / options_.chunks;
        for (int64_t t = first; t < end; ++t)
          rows.back().push_back(start + t + chunk * options_.gap);
      }
    }
    return pick_frames(views, table(rows));
  }

 private:
  std::vector<int64_t> order_of(int64_t label, Random& random) const {
    if (options_.orders > 0) return orders_[label];
    std::vector<int64_t> order(options_.chunks);
    std::iota(order.begin(), order.end(), 0);
    while (label > 0 && std::is_sorted(order.begin(), order.end()))
      order = random.permutation(options_.chunks);
    return order;
  }

  Options options_;
  std::vector<std::vector<int64_t>> orders_;  // the fixed list
};

extern const Entry<PretextTask> shuffle;
const Entry<PretextTask> shuffle =
    entry<PretextTask, Shuffle>("tells whether the parts of a clip stand in their order",
                                "Misra, Zitnick, Hebert, Shuffle and Learn, ECCV 2016, arXiv "
                                "1603.08561; in TaCo, arXiv 2011.13046");

}  // namespace distal::tasks
