#include "distal/models/convolution.h"
#include "distal/models/depthwise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace distal {
namespace {

struct Case {
  std::vector<int64_t> input, weight, stride, padding;
  int64_t groups = 1;
  bool bias = false;
};

struct Pass {
  at::Tensor output;
  std::vector<at::Tensor> gradients;  // of input, weight and bias
};

template <class Convolve>
Pass pass(const Case& one, at::ScalarType type, at::MemoryFormat format, const Convolve& convolve) {
  at::manual_seed(1);
  const auto drawn = [](at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble); };
  std::vector<at::Tensor> leaves = {drawn(one.input), drawn(one.weight)};
  if (one.bias) leaves.push_back(drawn({one.weight[0]}));
  for (auto& leaf : leaves) leaf = leaf.to(type).requires_grad_();
  const auto y =
      convolve(leaves[0].contiguous(format), leaves[1], one.bias ? leaves[2] : at::Tensor());
  return {y, torch::autograd::grad({y}, leaves, {drawn(y.sizes()).to(type)})};
}

double difference(const at::Tensor& got, const at::Tensor& wanted) {
  return ((got.to(at::kDouble) - wanted.to(at::kDouble)).norm() /
          wanted.to(at::kDouble).norm().clamp_min(1e-30))
      .item<double>();
}

class Convolution : public ::testing::TestWithParam<Case> {};

TEST_P(Convolution, IsLibTorchsWithItsGradients) {
  const Case& one = GetParam();
  const auto ours = [&](const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) {
    return convolution(x, w, b, one.stride, one.padding, one.groups);
  };
  const auto theirs = [&](const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) {
    return at::convolution(x, w, b, one.stride, one.padding,
                           std::vector<int64_t>(one.stride.size(), 1), false,
                           std::vector<int64_t>(one.stride.size(), 0), one.groups);
  };
  const bool video = one.stride.size() == 3;
  const auto exact = pass(one, at::kDouble, at::MemoryFormat::Contiguous, theirs);
  for (const auto format : {at::MemoryFormat::Contiguous, video ? at::MemoryFormat::ChannelsLast3d
                                                                : at::MemoryFormat::ChannelsLast}) {
    for (const auto& [type, tolerance] :
         {std::pair(at::kDouble, 1e-12), {at::kFloat, 1e-5}, {at::kBFloat16, 2e-2}}) {
      const auto got = pass(one, type, format, ours);
      ASSERT_EQ(got.output.sizes(), exact.output.sizes());
      EXPECT_EQ(got.output.scalar_type(), type);
      EXPECT_LT(difference(got.output, exact.output), tolerance);
      for (size_t i = 0; i < exact.gradients.size(); ++i)
        EXPECT_LT(difference(got.gradients[i], exact.gradients[i]), tolerance) << "gradient " << i;
    }
  }
  const torch::NoGradGuard no_grad;
  const auto x = at::randn(one.input);
  const auto w = at::randn(one.weight);
  EXPECT_LT(difference(ours(x, w, {}), theirs(x, w, {})), 1e-5) << "without gradients";
}

// Weights in float32 beside clips in bfloat16, as under autocast, whichever of them learns.
TEST_P(Convolution, CastsTheWeightAndGivesItsGradientInItsOwnType) {
  const Case& one = GetParam();
  const auto ours = [&](const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) {
    return convolution(x, w, b, one.stride, one.padding, one.groups);
  };
  const auto exact =
      pass(one, at::kDouble, at::MemoryFormat::Contiguous, ours);  // compared with LibTorch's above
  for (const bool input_learns : {true, false}) {
    for (const bool weight_learns : {true, false}) {
      at::manual_seed(1);
      const auto x =
          at::randn(one.input, at::kDouble).to(at::kBFloat16).set_requires_grad(input_learns);
      const auto w =
          at::randn(one.weight, at::kDouble).to(at::kFloat).set_requires_grad(weight_learns);
      const auto b = one.bias ? at::randn({one.weight[0]}, at::kDouble)
                                    .to(at::kFloat)
                                    .set_requires_grad(weight_learns)
                              : at::Tensor();
      const auto y = ours(x, w, b);
      EXPECT_EQ(y.scalar_type(), at::kBFloat16);
      EXPECT_LT(difference(y, exact.output), 2e-2);
      if (!input_learns && !weight_learns) continue;
      std::vector<at::Tensor> leaves, wanted;
      if (input_learns) {
        leaves.push_back(x);
        wanted.push_back(exact.gradients[0]);
      }
      if (weight_learns) {
        leaves.push_back(w);
        wanted.push_back(exact.gradients[1]);
      }
      if (weight_learns && one.bias) {
        leaves.push_back(b);
        wanted.push_back(exact.gradients[2]);
      }
      const auto got =
          torch::autograd::grad({y}, leaves, {at::randn(y.sizes(), at::kDouble).to(at::kBFloat16)});
      for (size_t i = 0; i < wanted.size(); ++i)
        EXPECT_LT(difference(got[i], wanted[i]), 2e-2)
            << "gradient " << i << " of " << wanted.size();
    }
  }
}

TEST(Depthwise, TakesTapsApart) {
  for (const auto& [input, dilation] :
       {std::pair(std::vector<int64_t>{2, 18, 4, 9, 8}, std::vector<int64_t>{4, 4, 4}),
        {{2, 16, 9, 6, 5}, {2, 1, 3}},
        {{1, 33, 1, 3, 3}, {5, 5, 5}}}) {
    const Case one{input, {input[1], 1, 3, 3, 3}, {1, 2, 2}, dilation, input[1]};
    const auto ours = [&](const at::Tensor& x, const at::Tensor& w, const at::Tensor&) {
      return depthwise(x, w, one.stride, one.padding, dilation);
    };
    const auto theirs = [&](const at::Tensor& x, const at::Tensor& w, const at::Tensor&) {
      return at::conv3d(x, w, {}, one.stride, one.padding, dilation, one.groups);
    };
    const auto exact = pass(one, at::kDouble, at::MemoryFormat::Contiguous, theirs);
    for (const auto& [type, tolerance] : {std::pair(at::kFloat, 1e-5), {at::kBFloat16, 2e-2}}) {
      const auto got = pass(one, type, at::MemoryFormat::Contiguous, ours);
      EXPECT_LT(difference(got.output, exact.output), tolerance);
      for (size_t i = 0; i < exact.gradients.size(); ++i)
        EXPECT_LT(difference(got.gradients[i], exact.gradients[i]), tolerance) << "gradient " << i;
    }
  }
}

TEST(Depthwise, IsTheSameOnAnyNumberOfThreads) {
  at::manual_seed(1);
  const auto x = at::randn({3, 40, 4, 9, 9}).set_requires_grad(true);
  const auto w = at::randn({40, 1, 3, 3, 3}).set_requires_grad(true);
  const int threads = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> all;
  for (const int count : {1, 4}) {
    at::set_num_threads(count);
    const auto y = depthwise(x, w, {1, 2, 2}, {1, 1, 1});
    all.push_back(
        torch::autograd::grad({y.sum()}, {x, w}));  // a gradient of the output that is expanded
    all.back().push_back(y);
  }
  at::set_num_threads(threads);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(all[0][i].equal(all[1][i])) << i;
  const auto wanted =
      torch::autograd::grad({at::conv3d(x, w, {}, {1, 2, 2}, {1, 1, 1}, 1, 40).sum()}, {x, w});
  for (size_t i = 0; i < 2; ++i) EXPECT_LT(difference(all[0][i], wanted[i]), 1e-5);
}

TEST(Depthwise, RefusesAKernelLongerThanTheMap) {
  EXPECT_ANY_THROW(
      depthwise(at::zeros({1, 16, 2, 2, 2}), at::zeros({16, 1, 3, 3, 3}), {2, 2, 2}, {0, 0, 0}));
}

TEST(ConvolutionTypes, OthersAreRefused) {
  EXPECT_ANY_THROW(convolution(at::randn({1, 2, 4, 4}), at::randn({3, 2, 1, 1}, at::kDouble), {},
                               {1, 1}, {0, 0}, 1));
}

INSTANTIATE_TEST_SUITE_P(
    Models, Convolution,
    ::testing::Values(Case{{2, 3, 4, 9, 9}, {4, 3, 3, 3, 3}, {1, 2, 2}, {1, 1, 1}},
                      Case{{2, 3, 1, 9, 9}, {4, 3, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 1, true},
                      Case{{2, 3, 1, 9, 9}, {4, 3, 3, 3, 3}, {2, 2, 2}, {1, 1, 1}},
                      Case{{2, 4, 2, 9, 9}, {6, 2, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 2, true},
                      Case{{2, 3, 2, 9, 9}, {4, 3, 3, 3, 3}, {2, 2, 2}, {1, 1, 1}},
                      Case{{2, 3, 2, 9, 9}, {4, 3, 7, 7, 7}, {1, 2, 2}, {3, 3, 3}},
                      Case{{2, 3, 6, 9, 9}, {4, 3, 7, 7, 7}, {2, 2, 2}, {3, 3, 3}},
                      Case{{2, 3, 3, 5, 5}, {4, 3, 5, 1, 1}, {1, 1, 1}, {2, 0, 0}},
                      Case{{2, 3, 2, 5, 5}, {4, 3, 3, 1, 1}, {1, 1, 1}, {1, 0, 0}},
                      Case{{2, 8, 5, 9, 9}, {8, 1, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 8},
                      Case{{2, 8, 4, 9, 9}, {8, 1, 3, 3, 3}, {1, 2, 2}, {1, 1, 1}, 8, true},
                      Case{{2, 8, 2, 9, 9}, {8, 1, 5, 1, 1}, {1, 1, 1}, {2, 0, 0}, 8},
                      Case{{2, 8, 1, 9, 9}, {8, 1, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 8},
                      Case{{2, 8, 2, 9, 9}, {8, 1, 3, 3, 3}, {2, 2, 2}, {1, 1, 1}, 8},
                      Case{{4, 8, 9, 9}, {8, 1, 3, 3}, {2, 2}, {1, 1}, 8},
                      Case{{2, 20, 4, 9, 8}, {20, 1, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 20},
                      Case{{2, 16, 3, 9, 8}, {16, 1, 3, 3, 3}, {1, 2, 2}, {1, 1, 1}, 16, true},
                      Case{{2, 37, 6, 7, 5}, {37, 1, 3, 3, 5}, {2, 2, 3}, {1, 0, 2}, 37},
                      Case{{2, 24, 4, 5, 5}, {24, 1, 5, 1, 1}, {1, 1, 1}, {2, 0, 0}, 24},
                      Case{{2, 16, 5, 7, 9}, {16, 1, 1, 3, 2}, {2, 4, 4}, {0, 1, 0}, 16},
                      Case{{2, 16, 2, 4, 3}, {16, 1, 3, 3, 3}, {1, 1, 2}, {3, 4, 3}, 16},
                      Case{{3, 32, 1, 1, 1}, {32, 1, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 32},
                      Case{{4, 40, 9, 9}, {40, 1, 3, 3}, {2, 2}, {1, 1}, 40},
                      Case{{4, 8, 9, 9}, {6, 8, 3, 3}, {1, 1}, {1, 1}, 1, true}),
    [](const auto& info) {
      return fmt::format("x{}_w{}_s{}_g{}{}", fmt::join(info.param.input, "_"),
                         fmt::join(info.param.weight, "_"), fmt::join(info.param.stride, "_"),
                         info.param.groups, info.param.bias ? "_bias" : "");
    });

}  // namespace
}  // namespace distal
