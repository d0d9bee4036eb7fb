// Greedy core-set: repeat B times, add argmax_u min_{s in L + S} |h_u - h_s|, the clip farthest from everything labelled or
// chosen. At most twice the radius of the best cover. O(M (L + B) D) time, O(M) memory beside the embeddings.
// Without labelled clips the first one is drawn at random. As most toolkits do, h is scaled to length 1 unless told not to.

#include "active/kernels.h"

namespace distal::strategies {

class KCenter final : public Strategy {
 public:
  struct Options {
    bool normalize = true;
    void visit(OptionVisitor& v) { v("normalize", normalize, "scale embeddings to length 1 before distances"); }
  };
  explicit KCenter(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    auto points = unit(checked_embeddings(scores, "k_center"));
    auto labelled = unit(checked_labelled_embeddings(scores, "k_center"));
    const int64_t pool = points.size(0);
    if (pool == 0) return torch::empty({0}, torch::kInt64);
    const auto mean = points.mean(0, /*keepdim=*/true);  // distances do not change, cancellation shrinks
    NearestCentre nearest({points - mean});
    nearest.add({labelled - mean});
    std::vector<int64_t> rows;
    while (std::ssize(rows) < std::min(count, pool)) {
      rows.push_back(largest_row(nearest.squared_distance(), random));
      nearest.add_row(rows.back());
    }
    return torch::tensor(rows, torch::kInt64);
  }
  Needs needs() const override { return {.logits = false, .embeddings = true}; }

 private:
  torch::Tensor unit(const torch::Tensor& embeddings) const {
    return options_.normalize ? unit_length(embeddings) : embeddings;
  }
  Options options_;
};

extern const Entry<Strategy> k_center;
const Entry<Strategy> k_center = entry<Strategy, KCenter>(
    "greedy core-set: the clip farthest from all labelled and chosen ones",
    "O. Sener, S. Savarese, Active learning for convolutional neural networks: a core-set approach, ICLR 2018, arXiv 1708.00489, algorithm 1");

}  // namespace distal::strategies
