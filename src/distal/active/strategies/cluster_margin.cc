// Cluster-Margin: of the k_m = 10 B clips of the smallest margin p_(1) - p_(2), one clip at random
// from each of their clusters in turn, smallest clusters first, until B are chosen. Clusters by
// average linkage of the embeddings under the cosine distance.
//
// Clusters are cut so that they have 10 clips on average, or at the distance epsilon. Deviations:
// the paper clusters the whole pool once, with the embeddings of its first model; here every round
// has a fresh student, and by default only its k_m candidates are clustered (`whole_pool` clusters
// all). Cost: O(k_m^2 D) time, O(k_m D) memory; with whole_pool M instead of k_m.

#include <limits>

#include "distal/active/clustering.h"
#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {

class ClusterMargin final : public Strategy {
 public:
  struct Options {
    double candidates = 10;
    double cluster_size = 10;
    double epsilon = 0;
    bool whole_pool = false;
    void visit(OptionVisitor& v) const {
      v("candidates", candidates, "clips of the smallest margin for each that is chosen",
        at_least(1));
      v("cluster_size", cluster_size, "clips in a cluster, on average", at_least(1));
      v("epsilon", epsilon,
        "merge clusters up to this mean cosine distance instead; 0: by cluster_size",
        between(0, 2));
      v("whole_pool", whole_pool, "cluster the whole pool, not the candidates alone");
    }
    bool operator==(const Options&) const = default;
  };
  explicit ClusterMargin(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto embeddings = unit_length(checked_embeddings(scores, "cluster_margin"));
    const auto margins = scores.task->margin(checked_probabilities(scores, "cluster_margin"));
    const int64_t pool = embeddings.size(0);
    if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    const auto shuffled =
        shuffled_rows(pool, random);  // equal margins, and the order within a cluster
    const auto margin = margins.index_select(0, shuffled);
    const auto wanted = static_cast<int64_t>(std::min(
        std::ceil(options_.candidates * static_cast<double>(count)), static_cast<double>(pool)));
    const auto candidates = shuffled.index_select(
        0, std::get<0>(margin.argsort(/*stable=*/true).slice(0, 0, wanted).sort()));
    return candidates.index_select(
        0, torch::tensor(in_turn(clusters_of(embeddings, candidates), count), torch::kInt64));
  }
  Needs needs() const override { return {.embeddings = true, .any_embeddings = true}; }

 private:
  /// The candidates of each cluster, smallest cluster first.
  std::vector<std::vector<int64_t>> clusters_of(const torch::Tensor& embeddings,
                                                const torch::Tensor& candidates) const {
    const auto points = options_.whole_pool ? embeddings : embeddings.index_select(0, candidates);
    const auto left = static_cast<int64_t>(
        std::ceil(static_cast<double>(points.size(0)) / options_.cluster_size));
    const auto of_point =
        options_.epsilon > 0
            ? average_linkage(points, 1, options_.epsilon)
            : average_linkage(points, left, std::numeric_limits<double>::infinity());
    std::map<int64_t, std::vector<int64_t>> by_cluster;
    for (int64_t i = 0; i < candidates.size(0); ++i)
      by_cluster[of_point[options_.whole_pool ? candidates[i].item<int64_t>() : i]].push_back(i);
    std::vector<std::vector<int64_t>> clusters;
    for (auto& [_, members] : by_cluster) clusters.push_back(std::move(members));
    std::stable_sort(clusters.begin(), clusters.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    return clusters;
  }

  static std::vector<int64_t> in_turn(const std::vector<std::vector<int64_t>>& clusters,
                                      int64_t count) {
    std::vector<int64_t> picks;
    for (size_t depth = 0; depth < clusters.back().size(); ++depth) {
      for (const auto& members : clusters) {
        if (depth < members.size() && std::ssize(picks) < count) picks.push_back(members[depth]);
      }
    }
    return picks;
  }

  Options options_;
};

extern const Entry<Strategy> cluster_margin;
const Entry<Strategy> cluster_margin = entry<Strategy, ClusterMargin>(
    "of the smallest margins, some from each cluster in turn: for large batches",
    "G. Citovsky, G. DeSalvo, C. Gentile, L. Karydas, A. Rajagopalan, A. Rostamizadeh, S. Kumar, "
    "Batch active learning at scale, NeurIPS 2021, arXiv 2107.14263, algorithm 1");

}  // namespace distal::strategies
