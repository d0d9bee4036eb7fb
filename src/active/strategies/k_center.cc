// Greedy core-set: repeat B times, add argmax_u min_{s in L + S} |h_u - h_s|, the clip farthest from everything labelled or
// chosen. At most twice the radius of the best cover. O(M (L + B) D) time at worst, O(M) memory beside the embeddings; most
// distances are never computed (nearest_centre.h), the clips are those of the plain loop.
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
    NearestCentre nearest({stored_embeddings(scores, "k_center")}, options_.normalize);
    nearest.add({checked_labelled_embeddings(scores, "k_center")});
    std::vector<int64_t> rows;
    while (std::ssize(rows) < std::min(count, nearest.size())) {
      rows.push_back(nearest.farthest(random));
      nearest.add_row(rows.back());
    }
    return torch::tensor(rows, torch::kInt64);
  }
  Needs needs() const override { return {.logits = false, .embeddings = true}; }

 private:
  Options options_;
};

extern const Entry<Strategy> k_center;
const Entry<Strategy> k_center = entry<Strategy, KCenter>(
    "greedy core-set: the clip farthest from all labelled and chosen ones",
    "O. Sener, S. Savarese, Active learning for convolutional neural networks: a core-set approach, ICLR 2018, arXiv 1708.00489, algorithm 1");

}  // namespace distal::strategies
