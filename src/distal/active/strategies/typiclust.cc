// Typical clips of clusters that nothing is labelled of: k-means with k = min(L + B, 500) over
// labelled and open clips; clusters of the fewest labelled clips first, of those the largest; from
// each in turn the clip of the largest typicality among its open ones,
//
//   typ(x) = 1 / mean over the K nearest clips x' of |x - x'|,      K = min(20, half of the
//   cluster's open clips).
//
// Clusters of at most 5 clips come last (the published code drops them and cannot go on when the
// others are empty). As published, embeddings are scaled to length 1. Deviations: Lloyd's k-means
// also above 50 clusters, where the code takes mini-batches; `published` ranks by 1 / (mean |x -
// x'|^2 + 1e-5), as that code does. Meant for self-supervised embeddings and few labels. Cost:
// O(iterations (M + L) k D) and O(n^2 D) for each clip from a cluster of n.

#include "distal/active/clustering.h"
#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class TypiClust final : public Strategy {
 public:
  struct Options {
    int64_t neighbours = 20;
    int64_t max_clusters = 500;
    int64_t small = 5;
    int64_t iterations = 50;
    bool normalize = true;
    bool published = false;
    void visit(OptionVisitor& v) const {
      v("neighbours", neighbours, "number of nearest clips in the estimate of density",
        at_least(1));
      v("max_clusters", max_clusters, "at most this many clusters", at_least(1));
      v("small", small, "clusters of at most this many clips come last", at_least(0));
      v("iterations", iterations, "at most this many steps of k-means", between(0, 10000));
      v("normalize", normalize, "scale embeddings to length 1 before distances");
      v("published", published, "rank by squared distances, as the authors' code does");
    }
    bool operator==(const Options&) const = default;
  };
  explicit TypiClust(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto embeddings = scaled(checked_embeddings(scores, "typiclust"));
    const auto labelled = scaled(checked_labelled_embeddings(scores, "typiclust"));
    const int64_t pool = embeddings.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    count = std::min(count, pool);
    std::vector<Cluster> clusters = ordered(embeddings, labelled, count, random);
    std::vector<int64_t> picks;
    const auto large = std::stable_partition(
        clusters.begin(), clusters.end(),
        [&](const Cluster& cluster) { return cluster.size > options_.small; });
    take_in_turn({clusters.begin(), large}, embeddings, count, picks);
    take_in_turn({large, clusters.end()}, embeddings, count, picks);
    return torch::tensor(picks, torch::kInt64);
  }
  Needs needs() const override {
    return {.logits = false, .embeddings = true, .any_embeddings = true};
  }
  std::string distances() const override {
    return options_.normalize ? "features are normalised (scaled to length 1); strategy.normalize: "
                                "false takes them as they are"
                              : "features are taken as they are, not normalised";
  }

 private:
  struct Cluster {
    int64_t size = 0;
    int64_t labelled = 0;
    std::vector<int64_t> open;
  };

  torch::Tensor scaled(const torch::Tensor& embeddings) const {
    return options_.normalize ? unit_length(embeddings) : embeddings;
  }

  std::vector<Cluster> ordered(const torch::Tensor& open, const torch::Tensor& labelled,
                               int64_t count, Random& random) const {
    const auto all = labelled.size(0) > 0 ? torch::cat({labelled, open}) : open;
    const int64_t k = std::min({labelled.size(0) + count, options_.max_clusters, all.size(0)});
    const auto of_row = k_means(all, torch::ones({all.size(0)}, torch::kFloat64), k,
                                all.new_empty({0, all.size(1)}), options_.iterations, random)
                            .of_row;
    std::vector<Cluster> clusters(k);
    const auto cluster_of = [&](int64_t row) -> Cluster& {
      return clusters[of_row.const_data_ptr<int64_t>()[row]];
    };
    for (int64_t row = 0; row < all.size(0); ++row) {
      ++cluster_of(row).size;
      if (row < labelled.size(0)) ++cluster_of(row).labelled;
    }
    for (const int64_t row : random.permutation(open.size(0)))
      cluster_of(labelled.size(0) + row).open.push_back(row);  // of equal clips one at random
    std::stable_sort(clusters.begin(), clusters.end(), [](const Cluster& a, const Cluster& b) {
      return std::pair(a.labelled, -a.size) < std::pair(b.labelled, -b.size);
    });
    return clusters;
  }

  void take_in_turn(std::vector<Cluster> clusters, const torch::Tensor& points, int64_t count,
                    std::vector<int64_t>& picks) const {
    for (bool any = true; any && std::ssize(picks) < count;) {
      any = false;
      for (auto& [_, labelled, open] : clusters) {
        if (open.empty() || std::ssize(picks) >= count) continue;
        const auto near = std::min(options_.neighbours, std::ssize(open) / 2);
        const auto best = most_typical(points.index_select(0, torch::tensor(open, torch::kInt64)),
                                       near, options_.published);
        picks.push_back(open[best]);
        open.erase(open.begin() + best);
        any = true;
      }
    }
  }

  Options options_;
};

extern const Entry<Strategy> typiclust;
const Entry<Strategy> typiclust = entry<Strategy, TypiClust>(
    "the most typical clip of each cluster that has no labels yet: for few labels",
    "G. Hacohen, A. Dekel, D. Weinshall, Active learning on a budget: opposite strategies suit "
    "high and low budgets, ICML 2022, arXiv 2202.02794, algorithm 1");

}  // namespace distal::strategies
