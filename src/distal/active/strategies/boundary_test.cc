#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

std::vector<double> distances(const torch::Tensor& h, const torch::Tensor& weight,
                              const torch::Tensor& bias) {
  PoolScores scores;
  scores.logits = h.mm(weight.t()) + bias;
  scores.head_weight = weight;
  const auto values = (-*make<Strategy>("boundary")->score(scores, Random(0))).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

torch::Tensor table(std::vector<double> values, int64_t columns) {
  return torch::tensor(values, torch::kFloat64).view({-1, columns});
}

TEST(Boundary, IsTheGapOverTheDistanceOfTheWeights) {
  const auto weight = table({1, 0, 0, 1, 0, 0}, 2);
  // z = (2, 1, 0): 1 / sqrt(2) to class 1, 2 to class 2. z = (3, 0, 0): 3 / sqrt(2), 3. z = (1, 1,
  // 0): on the boundary. z = (-1, -2, 0): 1, 2.
  EXPECT_THAT(distances(table({2, 1, 3, 0, 1, 1, -1, -2}, 2), weight, torch::zeros({3})),
              Pointwise(DoubleNear(1e-12), {0.5 * M_SQRT2, 1.5 * M_SQRT2, 0.0, 1.0}));
}

TEST(Boundary, IsHowFarAnEmbeddingMustMoveToChangeTheAnswer) {
  Random random(4);
  const auto normal = [&](int64_t rows, int64_t columns) {
    auto values = torch::empty({rows, columns}, torch::kFloat64);
    for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
    return values;
  };
  const auto weight = normal(4, 3);
  const auto bias = normal(1, 4).squeeze(0);
  const auto h = normal(1, 3);
  const double distance = distances(h, weight, bias)[0];
  const auto answer = [&](const torch::Tensor& at) { return (at.mm(weight.t()) + bias).argmax(1); };
  const auto before = answer(h).item<int64_t>();
  const auto steps = normal(20000, 3);
  const auto direction = steps / steps.norm(2, 1, true);
  EXPECT_EQ((answer(h + 0.999 * distance * direction) != before).sum().item<int64_t>(), 0);
  EXPECT_GT((answer(h + 1.02 * distance * direction) != before).sum().item<int64_t>(), 0);
}

TEST(Boundary, ThereIsNoneBetweenClassesOfEqualWeights) {
  const auto weight = table({1, 1, 1, 1, 0, 0}, 2);
  // Classes 0 and 1 differ by their bias alone: only the boundary to class 2 counts, z = (3, 2, 0),
  // 3 / sqrt(2).
  EXPECT_THAT(distances(table({1, 1}, 2), weight, torch::tensor({1.0, 0.0, 0.0})),
              Pointwise(DoubleNear(1e-12), {1.5 * M_SQRT2}));
  EXPECT_THAT(distances(table({1, 1}, 2), weight, torch::zeros({3})),
              Pointwise(DoubleNear(1e-12), {0.0}))
      << "equal everywhere";
  EXPECT_THAT(distances(table({1, 1}, 2), torch::ones({3, 2}, torch::kFloat64),
                        torch::tensor({1.0, 0.0, 0.0})),
              Pointwise(DoubleNear(1e-12), {0.0}))
      << "no boundary at all";
}

TEST(Boundary, RefusesAHeadThatCannotBe) {
  PoolScores scores;
  scores.logits = torch::zeros({2, 3});
  const auto refusal = [&](const torch::Tensor& weight) {
    scores.head_weight = weight;
    return error_of([&] { make<Strategy>("boundary")->score(scores, Random(0)); });
  };
  EXPECT_THAT(refusal({}), HasSubstr("there are none"));
  EXPECT_THAT(refusal(torch::zeros({2, 4})), HasSubstr("of the 3 classes"));
  EXPECT_THAT(refusal(torch::full({3, 4}, std::nan(""))), HasSubstr("not finite"));
}

}  // namespace
}  // namespace distal
