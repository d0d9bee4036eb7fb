#pragma once
// The conformance suite of backbones. A GoogleTest program can run it on other backbones. In one
// source file:
//
//   #include <distal/models/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryBackbone,
//                            ::testing::Values(SmallBackbone{"mine", "width: 4"}));
//   }
//
// The parameter is the name of the backbone in the catalogue and options that make it small. Load
// plugins before InitGoogleTest.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/backbone.h"
#include "distal/models/model_options.h"
#include "distal/models/saved_model.h"
#include "distal/models/testing.h"
#include "distal/models/weights.h"

namespace distal {

class EveryBackbone : public ::testing::TestWithParam<SmallBackbone> {
 protected:
  /// Uses one thread: with small networks on a busy machine, threads that wait for each other cost
  /// ten times as much.
  static void SetUpTestSuite() { at::set_num_threads(1); }

  static Model build(uint64_t seed = 1, int64_t classes = 5) {
    return make<Backbone>(GetParam().name, GetParam().options)->build(classes, Random(seed));
  }
};

TEST_P(EveryBackbone, GivesLogitsAndEmbeddingForClipsOfTwoSizes) {
  const auto net = build();
  net->eval();
  const torch::NoGradGuard no_grad;
  for (const auto& sizes :
       {std::vector<int64_t>{2, 3, 4, 32, 32}, std::vector<int64_t>{1, 3, 8, 40, 48}}) {
    const auto output = net->forward(at::randn(sizes));
    EXPECT_EQ(output.logits.sizes().vec(), (std::vector<int64_t>{sizes[0], 5}));
    EXPECT_EQ(output.embedding.sizes().vec(),
              (std::vector<int64_t>{sizes[0], net->embedding_size()}));
    EXPECT_EQ(output.logits.scalar_type(), at::kFloat);
    EXPECT_TRUE(output.logits.isfinite().all().item<bool>());
    EXPECT_TRUE(at::equal(output.logits, net->head(output.embedding)));
  }
}

TEST_P(EveryBackbone, SendsAFiniteGradientToEveryParameter) {
  const auto net = build();
  net->train();
  const auto logits = net->forward(at::randn({4, 3, 4, 48, 48})).logits;
  at::cross_entropy_loss(logits, at::tensor({0, 1, 2, 3}).to(at::kLong)).backward();
  for (const auto& row : net->named_parameters()) {
    ASSERT_TRUE(row.value().grad().defined()) << row.key();
    EXPECT_TRUE(row.value().grad().isfinite().all().item<bool>()) << row.key();
    EXPECT_GT(row.value().grad().abs().max().item<float>(), 0) << row.key();
  }
}

TEST_P(EveryBackbone, GivesEqualLogitsAfterSavingAndLoading) {
  const TemporaryFolder folder;
  ModelOptions options;
  read_options(options, fmt::format("{{name: {}, {}}}", GetParam().name, GetParam().options),
               "test");
  const auto net = options.build(5, Random(1));
  net->train();
  const auto clips = at::randn({2, 3, 4, 32, 32});
  net->forward(clips);  // moves the running statistics
  net->eval();
  save_model(folder / "m.safetensors", *net, side_json(options, {"a", "b", "c", "d", "e"}, ""));
  const auto saved = load_model(folder / "m.safetensors");
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(saved.net->forward(clips).logits, net->forward(clips).logits));
}

TEST_P(EveryBackbone, HasTheSameWeightsForTheSameSeedAndOthersForAnother) {
  const auto first = state(*build(3));
  const auto second = state(*build(3));
  const auto third = state(*build(4));
  bool differs = false;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].first, second[i].first);
    EXPECT_TRUE(at::equal(first[i].second, second[i].second)) << first[i].first;
    differs = differs || !at::equal(first[i].second, third[i].second);
  }
  EXPECT_TRUE(differs);
}

TEST_P(EveryBackbone, KeepsTheScaleOfItsInputAtTheStart) {
  const auto net = build();
  net->train();
  const torch::NoGradGuard no_grad;
  const double scale =
      net->forward(at::randn({2, 3, 4, 40, 40})).embedding.abs().mean().item<double>();
  EXPECT_GT(scale, 0.01);
  EXPECT_LT(scale, 10);
}

TEST_P(EveryBackbone, RefusesAClipItCannotTakeAndSaysWhichItCan) {
  const auto net = build();
  const auto refusal = [&](const std::vector<int64_t>& sizes) {
    return error_of([&] { net->forward(at::zeros(sizes)); });
  };
  for (const auto& sizes :
       {std::vector<int64_t>{3, 4, 32, 32}, std::vector<int64_t>{1, 1, 4, 32, 32},
        std::vector<int64_t>{1, 3, 4, 8, 32}}) {
    EXPECT_THAT(refusal(sizes), ::testing::HasSubstr("it takes float32 [N, 3, T, H, W]"));
    EXPECT_THAT(refusal(sizes), ::testing::HasSubstr(GetParam().name));
  }
}

TEST_P(EveryBackbone, CanBeFrozenUpToItsHead) {
  ModelOptions options;
  read_options(
      options,
      fmt::format("{{name: {}, {}, freeze: [backbone]}}", GetParam().name, GetParam().options),
      "test");
  const auto net = options.build(5, Random(1));
  int64_t trained = 0;
  for (const auto& parameter : net->parameters())
    trained += parameter.requires_grad() ? parameter.numel() : 0;
  EXPECT_EQ(trained, 5 * (net->embedding_size() + 1));
}

}  // namespace distal
