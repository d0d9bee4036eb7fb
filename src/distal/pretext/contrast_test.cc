// Losses of the contrastive learners and the momentum, worked by hand.

#include "distal/pretext/testing.h"

namespace distal {
namespace {

torch::Tensor rows(std::vector<float> values) { return torch::tensor(values).view({-1, 2}); }
torch::Tensor ids(std::vector<int64_t> values) { return torch::tensor(values, torch::kInt64); }

TEST(Momentum, RisesFromItsFirstValueToOneAlongACosine) {
  EXPECT_NEAR(annealed(0.994, 0, 200), 0.994, 1e-12);
  EXPECT_NEAR(annealed(0.994, 100, 200), 0.997, 1e-12);
  EXPECT_NEAR(annealed(0.994, 50, 200), 1 - 0.006 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  EXPECT_NEAR(annealed(0.994, 200, 200), 1, 1e-12);
  EXPECT_NEAR(make<Contrast>("moco", "momentum: 0.9")->momentum(5, 10), 0.95, 1e-12);
  EXPECT_FALSE(make<Contrast>("simclr")->momentum_encoder());
}

TEST(Moco, IsInfoNceAgainstTheQueue) {
  const auto branch = make<Contrast>("moco", "temperature: 0.5")->branch({2, 4, 8}, Random(1));
  const auto first =
      branch->loss({rows({1, 0, 0, 1}), rows({3, 0, 6, 8}), ids({0, 1}), ids({10, 11})});
  EXPECT_NEAR(first.abs().max().item<double>(), 0, 1e-6)
      << "an empty queue has nothing to tell apart";
  // The queue holds (1, 0) of clip 10 and (0.6, 0.8) of clip 11.
  const auto second =
      branch->loss({rows({2, 0, 0, 1}), rows({0, 5, 0, -1}), ids({0, 1}), ids({12, 10})});
  const double q = std::exp(0 / 0.5);
  const double a = std::exp(1 / 0.5);
  const double b = std::exp(0.6 / 0.5);
  EXPECT_NEAR(second[0].item<double>(), -std::log(q / (q + a + b)), 1e-5);
  const double own = std::exp(-1 / 0.5);
  const double other = std::exp(0.8 / 0.5);
  EXPECT_NEAR(second[1].item<double>(), -std::log(own / (own + other)), 1e-5)
      << "clip 10's own old key is no negative";
}

TEST(Moco, ForgetsTheOldestKeys) {
  const auto branch =
      make<Contrast>("moco", "temperature: 1, queue: 3")->branch({2, 4, 100}, Random(1));
  branch->loss({rows({1, 0}), rows({1, 0, 0, 1}), ids({0}), ids({1, 2})});
  branch->loss({rows({1, 0}), rows({-1, 0, 0, -1}), ids({0}), ids({3, 4})});
  // (0, 1), (-1, 0), (0, -1) are left; the query is (1, 0), its key too.
  const auto loss = branch->loss({rows({1, 0}), rows({1, 0}), ids({0}), ids({5})});
  EXPECT_NEAR(loss.item<double>(), -std::log(std::exp(1.) / (std::exp(1.) + 1 + std::exp(-1.) + 1)),
              1e-5);
}

TEST(Moco, RemembersNoMoreThanThePoolHas) {
  const auto buffers = make<Contrast>("moco")->branch({2, 4, 5}, Random(1))->named_buffers();
  EXPECT_EQ(buffers["keys"].size(0), 5);
  const auto branch = make<Contrast>("moco", "queue: 2")->branch({2, 4, 5}, Random(1));
  branch->loss({rows({1, 0}), rows({1, 0, 0, 1, -1, 0}), ids({0}),
                ids({1, 2, 3})});  // more keys than places
  EXPECT_TRUE(branch->named_buffers()["clips"].equal(ids({2, 3})));
}

TEST(Moco, SendsNoGradientIntoKeys) {
  const auto branch = make<Contrast>("moco")->branch({2, 4, 8}, Random(1));
  const auto keys = rows({0, 1, 1, 1}).requires_grad_();
  const auto queries = rows({1, 0, 1, 2}).requires_grad_();
  branch->loss({rows({1, 0}), rows({1, 3}), ids({0}), ids({1})});
  branch->loss({queries, keys, ids({0, 1}), ids({2, 3})}).sum().backward();
  EXPECT_FALSE(keys.grad().defined());
  EXPECT_TRUE(queries.grad().defined());
}

TEST(Simclr, IsTheCrossEntropyOfPairsBothWays) {
  const double t = 0.5;
  const auto e = [&](double similarity) { return std::exp(similarity / t); };
  const auto branch = make<Contrast>("simclr", "temperature: 0.5")->branch({2, 4, 8}, Random(1));
  // q1 (1, 0), q2 (0, 1); k1 (0.6, 0.8), k2 (0, 1).
  const auto loss =
      branch->loss({rows({2, 0, 0, 3}), rows({3, 4, 0, 1}), ids({0, 1}), ids({1, 2})});
  const double first = -std::log(e(0.6) / (e(0.6) + e(0) + e(0)));
  const double back = -std::log(e(0.6) / (e(0.6) + e(0.8) + e(0.8)));
  EXPECT_NEAR(loss[0].item<double>(), (first + back) / 2, 1e-5);
  const double second = -std::log(e(1) / (e(1) + e(0) + e(0.8)));
  const double back_again = -std::log(e(1) / (e(1) + e(0) + e(0.8)));
  EXPECT_NEAR(loss[1].item<double>(), (second + back_again) / 2, 1e-5);
}

TEST(Simclr, TakesOtherKeysOfTheBatchAsNegativesButNotTheSameClipAgain) {
  const auto e = [](double similarity) { return std::exp(similarity); };
  const auto branch = make<Contrast>("simclr", "temperature: 1")->branch({2, 4, 8}, Random(1));
  // One query (1, 0) of clip 1; keys: its own (0, 1), another clip's (1, 0), and clip 1 once more
  // (-1, 0).
  const auto loss =
      branch->loss({rows({1, 0}), rows({0, 1, 1, 0, -1, 0}), ids({0}), ids({1, 2, 1})});
  const double there = -std::log(e(0) / (e(0) + e(1)));
  const double back = -std::log(e(0) / (e(0) + e(0)));
  EXPECT_NEAR(loss[0].item<double>(), (there + back) / 2, 1e-5);
}

// 2 - 2 cos between the predictor's answer, computed here with loops, and the key.
TEST(Byol, IsTheDistanceOfPredictionAndKey) {
  const auto branch = make<Contrast>("byol")->branch({2, 3, 8}, Random(1));
  const auto parameters = branch->named_parameters();
  const auto at = [&](const char* name, std::vector<int64_t> place) {
    torch::Tensor value = parameters[name];
    for (const int64_t i : place) value = value[i];
    return value.item<double>();
  };
  const double query[] = {0.5, -1};
  const double key[] = {3, 4};
  double hidden[3];
  double mean = 0;
  double variance = 0;
  double found[2];
  for (int j = 0; j < 3; ++j) {
    hidden[j] = at("predictor.0.bias", {j});
    for (int i = 0; i < 2; ++i) hidden[j] += at("predictor.0.weight", {j, i}) * query[i];
    mean += hidden[j] / 3;
  }
  for (const double h : hidden) variance += (h - mean) * (h - mean) / 3;
  for (double& h : hidden) h = std::max(0., (h - mean) / std::sqrt(variance + 1e-5));
  for (int k = 0; k < 2; ++k) {
    found[k] = at("predictor.1.bias", {k});
    for (int j = 0; j < 3; ++j) found[k] += at("predictor.1.weight", {k, j}) * hidden[j];
  }
  const double cosine =
      (found[0] * key[0] + found[1] * key[1]) / (std::hypot(found[0], found[1]) * 5);
  EXPECT_NEAR(branch->loss({rows({0.5, -1}), rows({3, 4}), ids({0}), ids({1})}).item<double>(),
              2 - 2 * cosine, 1e-5);
}

}  // namespace
}  // namespace distal
