#include "distal/serve/projection.h"

#include <gtest/gtest.h>

namespace distal::serve {
namespace {

torch::Tensor drawn(int64_t rows, int64_t columns) {
  return at::randn({rows, columns}, at::detail::createCPUGenerator(7));
}

TEST(Projection, ComponentsAreThoseOfTheSingularValues) {
  const torch::Tensor spread = torch::tensor({9.F, 5.F, 3.F, 1.F, 1.F, 1.F, .5F, .5F, .2F, .1F});
  const torch::Tensor rows = drawn(200, 10) * spread + 4;
  const torch::Tensor scores = principal_components(rows, 2);
  const torch::Tensor centred = rows - rows.mean(0, true);
  const auto [left, values, right] = at::linalg_svd(centred, false, std::nullopt);
  const torch::Tensor expected = left.narrow(1, 0, 2) * values.narrow(0, 0, 2);
  EXPECT_LT((scores.abs() - expected.abs()).abs().max().item<float>(), 1e-2);
  EXPECT_TRUE((scores.amax(0) >= -scores.amin(0)).all().item<bool>()) << "the sign is fixed";
  EXPECT_TRUE(torch::equal(scores, principal_components(rows, 2)));
}

TEST(Projection, TakesWhatHasFewRowsOrNoSpread) {
  EXPECT_TRUE(torch::equal(principal_components(torch::ones({1, 3}), 2), torch::zeros({1, 2})));
  EXPECT_LT(principal_components(torch::ones({5, 4}), 2).abs().max().item<float>(), 1e-4);
  const torch::Tensor two = principal_components(torch::tensor({{0.F}, {2.F}}), 2);
  EXPECT_NEAR(two.abs().max().item<float>(), 1, 1e-5);
  EXPECT_EQ(two.size(1), 2);
}

TEST(Projection, UmapKeepsGroupsTogether) {
  if (!has_umap()) GTEST_SKIP() << "this build has none";
  const int64_t each = 60;
  const torch::Tensor rows = torch::cat({drawn(each, 8), drawn(each, 8) + 20});
  const auto places = umap(rows, [] { return false; });
  ASSERT_TRUE(places.has_value());
  const torch::Tensor one = places->narrow(0, 0, each);
  const torch::Tensor other = places->narrow(0, each, each);
  const float apart = (one.mean(0) - other.mean(0)).norm().item<float>();
  const float within = (one - one.mean(0)).norm(2, {1}).mean().item<float>();
  EXPECT_GT(apart, 2 * within);
  EXPECT_TRUE(torch::equal(*places, *umap(rows, [] { return false; })));
  EXPECT_FALSE(umap(rows, [] { return true; }).has_value());
}

}  // namespace
}  // namespace distal::serve
