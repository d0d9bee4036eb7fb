#include <set>

#include <gmock/gmock.h>

#include "distal/active/kernels.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int64_t> rows_of(const torch::Tensor& rows) {
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed,
                     torch::ScalarType dtype = torch::kFloat32) {
  Random random(seed);
  torch::Tensor values = torch::empty(sizes, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values.to(dtype);
}

/// The published loop, written down without any shortcut.
std::vector<int64_t> naive(const torch::Tensor& pool, std::vector<torch::Tensor> centres,
                           int64_t count) {
  std::vector<int64_t> rows;
  while (std::ssize(rows) < count) {
    double best = -1;
    int64_t best_row = -1;
    for (int64_t u = 0; u < pool.size(0); ++u) {
      if (std::find(rows.begin(), rows.end(), u) != rows.end()) continue;
      double nearest = std::numeric_limits<double>::infinity();
      for (const auto& centre : centres)
        nearest = std::min(nearest, (pool[u] - centre).norm().item<double>());
      if (nearest > best) {
        best = nearest;
        best_row = u;
      }
    }
    rows.push_back(best_row);
    centres.push_back(pool[best_row]);
  }
  return rows;
}

TEST(KCenter, TakesTheFarthestPointOfALineThenTheMiddleOfTheLargestGap) {
  PoolScores scores;
  scores.embeddings = torch::tensor({0.0, 1.0, 4.0, 9.0, 10.0}).view({5, 1});
  scores.labelled_embeddings = torch::tensor({0.5}).view({1, 1});
  // 10 is 9.5 away; then 4 is 3.5 away; then 9 is 1 away (0 and 1 are 0.5 away).
  EXPECT_THAT(rows_of(make<Strategy>("k_center")->select(scores, 3, Random(1))),
              ElementsAre(4, 2, 3));
}

TEST(KCenter, ComparesDirectionsByCosine) {
  PoolScores scores;
  scores.embeddings = torch::tensor({100.0, 0.0, 0.0, 0.1, 3.0, 3.0}).view({3, 2});
  scores.labelled_embeddings = torch::tensor({1.0, 0.0}).view({1, 2});
  for (const auto& cosine :
       {make<Strategy>("k_center_cosine"), make<Strategy>("k_center", "normalize: true")}) {
    EXPECT_THAT(rows_of(cosine->select(scores, 2, Random(1))), ElementsAre(1, 2));
    EXPECT_THAT(cosine->distances(), HasSubstr("features are normalised"));
  }
}

TEST(KCenter, TakesFeaturesAsTheyAreLikeOtherToolkits) {
  PoolScores scores;
  scores.embeddings = torch::tensor({100.0, 0.0, 0.0, 0.1, 3.0, 3.0}).view({3, 2});
  scores.labelled_embeddings = torch::tensor({1.0, 0.0}).view({1, 2});
  EXPECT_THAT(rows_of(make<Strategy>("k_center")->select(scores, 1, Random(1))), ElementsAre(0));
  EXPECT_THAT(make<Strategy>("k_center")->distances(), HasSubstr("not normalised"));
}

TEST(KCenter, EqualsTheNaiveLoop) {
  for (const bool normalize : {true, false}) {
    PoolScores scores;
    scores.embeddings = normal({80, 6}, 5) + 20;  // far from the origin: cancellation would show
    scores.labelled_embeddings = normal({9, 6}, 6) + 20;
    auto pool = scores.embeddings.to(torch::kFloat64);
    auto labelled = scores.labelled_embeddings.to(torch::kFloat64);
    if (normalize) {
      pool = pool / pool.norm(2, 1, true);
      labelled = labelled / labelled.norm(2, 1, true);
    }
    const auto rows = rows_of(
        make<Strategy>(normalize ? "k_center_cosine" : "k_center")->select(scores, 30, Random(1)));
    EXPECT_EQ(rows, naive(pool, labelled.unbind(0), 30));
  }
}

TEST(KCenter, StartsAnywhereWithoutLabelsThenContinuesTheSame) {
  PoolScores scores;
  scores.embeddings = normal({50, 4}, 8, torch::kFloat64);
  std::set<int64_t> first;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto rows = rows_of(make<Strategy>("k_center")->select(scores, 10, Random(seed)));
    first.insert(rows.front());
    const auto rest = naive(scores.embeddings, {scores.embeddings[rows.front()]}, 9);
    EXPECT_EQ(std::vector<int64_t>(rows.begin() + 1, rows.end()), rest);
  }
  EXPECT_GT(first.size(), 3u);
}

}  // namespace
}  // namespace distal
