// Clustering uncertainty-weighted embeddings: k-means with k = B over the embeddings, each weighted
// by the entropy of softmax(z / T); of every cluster the clip nearest to its centre. Uncertain
// clips pull the centres, clusters spread them.
//
// Deviations: one k-means++ start instead of ten; the batch is ordered by the clusters' weight, the
// published code leaves it unordered; clips chosen earlier in this round are centres that stay and
// give none. Cost: O(iterations M B D) time.

#include "distal/active/clustering.h"
#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class Clue final : public Strategy {
 public:
  struct Options {
    double temperature = 1;
    int64_t iterations = 50;
    void visit(OptionVisitor& v) const {
      v("temperature", temperature, "of the softmax; 0.1 to 0.5 sharpens the weights",
        between(0.01, 100));
      v("iterations", iterations, "at most this many steps of k-means", between(0, 10000));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Clue(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto embeddings = checked_embeddings(scores, "clue");
    const int64_t pool = embeddings.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    checked_probabilities(scores, "clue");
    const auto rows = shuffled_rows(pool, random);
    const auto p = scores.task->probabilities(
        scores.logits.index_select(0, rows).to(torch::kFloat64) / options_.temperature);
    const auto chosen = scores.chosen
                            ? checked_embeddings(*scores.chosen, "clue").to(embeddings.dtype())
                            : embeddings.new_empty({0, embeddings.size(1)});
    return rows.index_select(
        0, one_per_cluster(embeddings.index_select(0, rows), scores.task->entropy(p), count, chosen,
                           options_.iterations, random));
  }
  Needs needs() const override { return {.embeddings = true, .any_embeddings = true}; }

 private:
  Options options_;
};

extern const Entry<Strategy> clue;
const Entry<Strategy> clue = entry<Strategy, Clue>(
    "k-means over the embeddings weighted by entropy, the clip nearest to each centre",
    "V. Prabhu, A. Chandrasekaran, K. Saenko, J. Hoffman, Active domain adaptation via clustering "
    "uncertainty-weighted embeddings, ICCV 2021, arXiv 2010.08666, equation 4");

}  // namespace distal::strategies
