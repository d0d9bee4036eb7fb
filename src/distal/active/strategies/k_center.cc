// Greedy core-set: repeat B times, add argmax_u min_{s in L + S} |h_u - h_s|, the clip farthest
// from everything labelled or chosen. Features are taken as they are, as published and in other
// toolkits; k_center_cosine scales them to length 1 first.

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class KCenter final : public Strategy {
 public:
  struct Options {
    bool normalize = false;
    void visit(OptionVisitor& v) const {
      v("normalize", normalize,
        "scale embeddings to length 1 before distances, as k_center_cosine does");
    }
    bool operator==(const Options&) const = default;
  };
  explicit KCenter(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    return farthest_first(scores, count, options_.normalize, random, "k_center");
  }
  Needs needs() const override {
    return {.logits = false, .embeddings = true, .any_embeddings = true};
  }
  std::string distances() const override {
    return options_.normalize ? "features are normalised (scaled to length 1)"
                              : "features are taken as they are, not normalised, as in other "
                                "toolkits; k_center_cosine normalises them";
  }

 private:
  Options options_;
};

extern const Entry<Strategy> k_center;
const Entry<Strategy> k_center = entry<Strategy, KCenter>(
    "greedy core-set: the clip farthest from all labelled and chosen ones; features as they are",
    "O. Sener, S. Savarese, Active learning for convolutional neural networks: a core-set "
    "approach, ICLR 2018, arXiv 1708.00489, algorithm 1");

}  // namespace distal::strategies
