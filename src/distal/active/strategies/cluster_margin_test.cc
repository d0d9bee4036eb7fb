#include <set>

#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

std::vector<int64_t> chosen(const PoolScores& scores, int64_t count, const std::string& options,
                            uint64_t seed) {
  const auto rows = make<Strategy>("cluster_margin", options)->select(scores, count, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

/// Six clips of one direction, then two of another; the margin grows with the row.
PoolScores six_and_two() {
  PoolScores scores;
  scores.embeddings = torch::tensor({1.0, 0.0, 1.0, 0.01, 1.0, 0.02, 1.0, 0.03, 1.0, 0.04, 1.0,
                                     0.05, 0.0, 1.0, 0.01, 1.0})
                          .view({8, 2});
  scores.logits = torch::stack({torch::linspace(0.1, 0.8, 8), torch::zeros({8})}, 1);
  return scores;
}

TEST(ClusterMargin, TakesTurnsFromTheSmallestClusterOn) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto rows = chosen(six_and_two(), 6, "cluster_size: 4", seed);
    EXPECT_GE(rows[0], 6);
    EXPECT_LT(rows[1], 6);
    EXPECT_GE(rows[2], 6);
    for (size_t i = 3; i < 6; ++i) EXPECT_LT(rows[i], 6);
  }
}

TEST(ClusterMargin, ChoosesAmongTheSmallestMarginsOnly) {
  std::set<int64_t> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    for (const int64_t row : chosen(six_and_two(), 2, "candidates: 2", seed)) seen.insert(row);
  }
  EXPECT_EQ(seen, (std::set<int64_t>{0, 1, 2, 3}));
}

TEST(ClusterMargin, CutsAtADistanceOrBySize) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_GE(chosen(six_and_two(), 1, "epsilon: 0.1", seed)[0], 6)
        << "two clusters, the smaller first";
    EXPECT_GE(chosen(six_and_two(), 1, "epsilon: 0.1, whole_pool: true", seed)[0], 6);
  }
  std::set<int64_t> first;
  for (uint64_t seed = 0; seed < 40; ++seed)
    first.insert(chosen(six_and_two(), 1, "cluster_size: 8", seed)[0]);
  EXPECT_GT(first.size(), 5u) << "one cluster of all: any clip may come first";
}

}  // namespace
}  // namespace distal
