// Linear probe and neighbours: an optimum checked by its gradient, a vote counted by hand.

#include "distal/learn/linear_probe.h"

#include "distal/pretext/testing.h"

namespace distal {
namespace {

struct Data {
  torch::Tensor features, labels, truth, weights;
};

// Three overlapping clouds in four dimensions; the last feature is constant.
Data clouds(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) {
    labels.push_back(i % 3);
    for (int64_t d = 0; d < 3; ++d)
      values.push_back(static_cast<float>(random.normal() + (d == i % 3 ? 1.5 : 0)));
    values.push_back(7);
  }
  Data data{torch::tensor(values).view({count, 4}),
            torch::tensor(labels, torch::kInt64),
            {},
            torch::ones({count})};
  data.truth = at::one_hot(data.labels, 3).to(torch::kFloat32);
  return data;
}

// The gradient of the penalised loss at the probe, in the standardised space where it was found.
double slope_at(const Data& data, const LinearProbe& probe, double c) {
  const auto x = data.features.to(torch::kFloat64);
  const auto mean = x.mean(0);
  const auto deviation = x.std(0, /*unbiased=*/false).clamp_min(1e-12);
  const auto weight = (probe.weight.to(torch::kFloat64) * deviation).detach().requires_grad_();
  const auto bias = (probe.bias.to(torch::kFloat64) + probe.weight.to(torch::kFloat64).matmul(mean))
                        .detach()
                        .requires_grad_();
  const auto rows = -(data.truth.to(torch::kFloat64) *
                      at::linear((x - mean) / deviation, weight, bias).log_softmax(1))
                         .sum(1);
  (((data.weights.to(torch::kFloat64) * rows).sum() + weight.square().sum() / (2 * c)) /
   data.weights.sum())
      .backward();
  return std::max(weight.grad().narrow(1, 0, 3).abs().max().item<double>(),
                  bias.grad().abs().max().item<double>());
}

TEST(LinearProbe, FindsTheOptimum) {
  for (const double c : {0.1, 1., 100.}) {
    Data data = clouds(90, 1);
    data.weights.narrow(0, 0, 30).fill_(3);
    EXPECT_LT(slope_at(data, linear_probe(data.features, data.truth, data.weights, c), c), 1e-5)
        << c;
  }
}

TEST(LinearProbe, TellsCloudsApartAsWellAsTheyCanBe) {
  const Data known = clouds(300, 1);
  const Data test = clouds(300, 2);
  const auto probe = linear_probe(known.features, known.truth, known.weights);
  EXPECT_GT(accuracy(probe.logits(test.features), test.labels),
            0.68);  // the best possible is 0.766
  EXPECT_TRUE(probe.weight.isfinite().all().item<bool>());
  EXPECT_EQ(probe.weight.select(1, 3).abs().max().item<double>(), 0)
      << "a constant feature counts for nothing";
}

TEST(LinearProbe, DoesNotDependOnTheScaleOfFeatures) {
  const Data data = clouds(60, 1);
  const auto scale = torch::tensor({1e-3f, 1.f, 1e3f, 1.f});
  const auto shift = torch::tensor({5.f, 0.f, -2.f, 0.f});
  const auto plain = linear_probe(data.features, data.truth, data.weights).logits(data.features);
  const auto other = data.features * scale + shift;
  const auto scaled = linear_probe(other, data.truth, data.weights).logits(other);
  EXPECT_LT((plain - scaled).abs().max().item<double>(), 0.02);
}

TEST(LinearProbe, GoesIntoTheClassifier) {
  const auto net = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(3, Random(1));
  const auto features = at::randn({12, net->embedding_size()});
  const auto probe =
      linear_probe(features, at::one_hot(at::arange(12, at::kLong).remainder(3), 3).to(at::kFloat),
                   at::ones({12}));
  set_classifier(*net, probe);
  net->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(net->head(features).allclose(probe.logits(features)));
}

TEST(Neighbours, VoteByCosine) {
  const auto known = torch::tensor({1.f, 0.f, 5.f, 1.f, 0.f, 2.f, -1.f, 0.f}).view({4, 2});
  const auto labels = torch::tensor({0, 1, 1, 0}, torch::kInt64);
  const auto query = torch::tensor({3.f, 0.f}).view({1, 2});
  const auto three = nearest_neighbours(known, labels, query, 2, 3);  // similarities 1, 0.98, 0, -1
  EXPECT_NEAR(three[0][0].item<double>(), 1. / 3, 1e-3);
  EXPECT_NEAR(three[0][1].item<double>(), 2. / 3, 1e-3);
  const auto two = nearest_neighbours(known, labels, query, 2, 2);
  EXPECT_EQ(two.argmax(1).item<int64_t>(), 0) << "one vote each: the nearer one decides";
  EXPECT_EQ(nearest_neighbours(known, labels, query, 2, 10).argmax(1).item<int64_t>(), 1)
      << "all four: two votes each, 0.98 + 0 against 1 - 1";
}

}  // namespace
}  // namespace distal
