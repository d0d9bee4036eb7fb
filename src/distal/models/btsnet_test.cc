#include "distal/models/btsnet.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/backbone.h"
#include "distal/models/gate.h"
#include "distal/models/model.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

const std::array<int64_t, 4> kBlocks = {1, 2, 1, 1};

std::vector<std::vector<int64_t>> published_dilations(const BtsnetOptions& options) {
  static const std::map<int64_t, std::vector<std::vector<int64_t>>> kFar = {
      {2, {{4, 1, 1}}}, {3, {{4, 1, 1}, {1, 4, 4}}}, {4, {{4, 4, 4}, {1, 4, 4}, {4, 1, 1}}}};
  std::vector<std::vector<int64_t>> all = {{1, 1, 1}};
  for (int64_t m = 1; m < options.branches; ++m) {
    all.push_back(options.ops == "O1" ? std::vector<int64_t>(3, 1 + m)
                                      : kFar.at(options.branches)[static_cast<size_t>(m - 1)]);
  }
  return all;
}

// The formulas of btsnet.h on a net's own tensors, each convolution as LibTorch computes it.
// Evaluation mode.
class Naive {
 public:
  Naive(const Net& net, const BtsnetOptions& options) : options_(options) {
    for (const auto& row : net.named_parameters()) tensors_[row.key()] = row.value();
    for (const auto& row : net.named_buffers()) tensors_[row.key()] = row.value();
  }
  at::Tensor logits(const at::Tensor& clips) const {
    auto x = normed("basic_conv.1",
                    at::conv3d(clips, tensors_.at("basic_conv.0.weight"), {}, {1, 2, 2}, {3, 3, 3}))
                 .relu();
    x = at::max_pool3d(x, 3, 2, 1);
    for (size_t s = 0; s < 4; ++s) {
      for (int64_t b = 0; b < kBlocks[s]; ++b)
        x = unit(fmt::format("stage_{}.{}.", s + 1, b), x, s > 0 && b == 0 ? 2 : 1, s < 3);
    }
    return at::linear(x.mean({2, 3, 4}), tensors_.at("fc.weight"), tensors_.at("fc.bias"));
  }

 private:
  at::Tensor normed(const std::string& norm, const at::Tensor& x) const {
    const auto of = [&](const char* name) { return tensors_.at(norm + name); };
    return at::batch_norm(x, of(".weight"), of(".bias"), of(".running_mean"), of(".running_var"),
                          false, 0.1, 1e-5, false);
  }
  at::Tensor pair(const std::string& name, const at::Tensor& x, int64_t stride = 1) const {
    return normed(name + ".1", at::conv3d(x, tensors_.at(name + ".0.weight"), {}, stride));
  }
  at::Tensor far(const std::string& conv, const std::string& norm, const at::Tensor& x,
                 int64_t stride, at::IntArrayRef dilation) const {
    return normed(norm, at::conv3d(x, tensors_.at(conv + ".weight"), {}, stride, dilation, dilation,
                                   options_.cardinality))
        .relu();
  }
  at::Tensor selective(const std::string& name, const at::Tensor& x, int64_t stride) const {
    std::vector<at::Tensor> maps;
    for (const auto& dilation : published_dilations(options_)) {
      const std::string branch = fmt::format("{}.convs.{}", name, maps.size());
      maps.push_back(far(branch + ".0", branch + ".1", x, stride, dilation));
    }
    const auto total = at::stack(maps).sum(0);
    const int64_t steps = options_.fuse == "c" ? 1 : total.size(2);
    const auto scores =
        at::conv3d(pair(name + ".fc", at::adaptive_avg_pool3d(total, {steps, 1, 1})).relu(),
                   tensors_.at(name + ".fcs.weight"));
    const auto share = scores.view({x.size(0), options_.branches, -1, steps, 1, 1}).softmax(1);
    if (options_.alias_bug) maps[0] = total;
    return (share * at::stack(maps, 1)).sum(1);
  }
  at::Tensor unit(const std::string& name, const at::Tensor& x, int64_t stride,
                  bool with_choice) const {
    auto y = pair(name + "conv1", x).relu();
    y = with_choice ? selective(name + "conv2_sk", y, stride)
                    : far(name + "conv2_sk.conv", name + "conv2_sk.bn", y, stride, {1, 1, 1});
    return (pair(name + "conv3", y) + (tensors_.contains(name + "shortcut.0.weight")
                                           ? pair(name + "shortcut", x, stride)
                                           : x))
        .relu();
  }
  BtsnetOptions options_;
  std::map<std::string, at::Tensor> tensors_;
};

BtsnetOptions small(int64_t branches, const std::string& fuse, const std::string& ops,
                    bool alias_bug) {
  BtsnetOptions options;
  options.width = 0.125;
  options.cardinality = 8;
  options.branches = branches;
  options.fuse = fuse;
  options.ops = ops;
  options.alias_bug = alias_bug;
  return options;
}

class BtsnetFormula : public ::testing::TestWithParam<BtsnetOptions> {};

// Maps shorter and longer than the dilations, odd ones too.
TEST_P(BtsnetFormula, HoldsForClipsOfAnyLength) {
  const auto net = btsnet("btsnet", kBlocks, GetParam(), 5, Random(1));
  const torch::NoGradGuard no_grad;
  net->to(at::kDouble);
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(2);
  net->train();
  net->forward(
      at::randn({4, 3, 8, 32, 32}, generator, at::kDouble));  // moves the running statistics
  net->eval();
  const Naive naive(*net, GetParam());
  for (const auto& sizes :
       {std::vector<int64_t>{2, 3, 1, 16, 16}, std::vector<int64_t>{1, 3, 8, 40, 24},
        std::vector<int64_t>{1, 3, 13, 40, 44}}) {
    const auto clips = at::randn(sizes, generator, at::kDouble);
    const auto wanted = naive.logits(clips);
    EXPECT_LT((net->forward(clips).logits - wanted).abs().max().item<double>(),
              1e-10 * wanted.abs().max().item<double>())
        << sizes[2];
  }
}

INSTANTIATE_TEST_SUITE_P(Btsnet, BtsnetFormula,
                         ::testing::Values(small(4, "tc", "O2", false), small(4, "c", "O2", true),
                                           small(3, "tc", "O2", true), small(3, "c", "O1", false),
                                           small(2, "tc", "O1", true), small(2, "c", "O2", false)),
                         [](const auto& info) {
                           const auto& options = info.param;
                           return fmt::format("M{}_{}_{}{}", options.branches, options.fuse,
                                              options.ops, options.alias_bug ? "_alias" : "");
                         });

TEST(Btsnet, EveryWidthAndCardinalityMakesANet) {
  const torch::NoGradGuard no_grad;
  for (const char* width : {"0.05", "0.07", "0.11", "0.125", "0.2", "0.25", "0.3"}) {
    for (const int64_t groups : {8, 16, 32}) {
      const auto net =
          make<Backbone>("btsnet_26", fmt::format("width: {}, cardinality: {}", width, groups))
              ->build(3, Random(1));
      net->eval();
      EXPECT_TRUE(net->forward(at::zeros({1, 3, 2, 16, 16})).logits.isfinite().all().item<bool>())
          << width << " " << groups;
    }
  }
}

TEST(Btsnet, TrainsOnOneClipOnlyWhereEveryNormHasSomethingToNormaliseOver) {
  const auto trained = [](const std::string& fuse, const std::vector<int64_t>& sizes) {
    const auto net = make<Backbone>("btsnet_26", "width: 0.05, cardinality: 8, fuse: " + fuse)
                         ->build(3, Random(1));
    net->train();
    const std::string refusal = error_of([&] { net->forward(at::randn(sizes)); });
    if (refusal.empty()) {
      for (const auto& buffer : net->buffers()) EXPECT_TRUE(buffer.isfinite().all().item<bool>());
    }
    return refusal;
  };
  EXPECT_THAT(trained("c", {1, 3, 16, 48, 48}), HasSubstr("batches of 2 clips or more"));
  EXPECT_THAT(trained("tc", {1, 3, 8, 48, 48}), HasSubstr("batches of 2 clips or more"));
  EXPECT_EQ(trained("tc", {1, 3, 9, 48, 48}), "");
  EXPECT_EQ(trained("c", {2, 3, 1, 16, 16}), "");
}

TEST(Btsnet, LeavesOutputsInFloat32UnderBf16) {
  for (const bool alias_bug : {false, true}) {
    const auto net = btsnet("btsnet", kBlocks, small(4, "tc", "O2", alias_bug), 3, Random(1));
    const Bf16Scope scope;
    const auto output = net->forward(at::randn({2, 3, 4, 32, 32}));
    EXPECT_EQ(output.logits.scalar_type(), at::kFloat);
    EXPECT_EQ(output.embedding.scalar_type(), at::kFloat);
    output.logits.sum().backward();
    for (const auto& row : net->named_parameters())
      EXPECT_TRUE(row.value().grad().isfinite().all().item<bool>()) << row.key();
  }
}

TEST(Btsnet, RefusesOptionsThatDoNotExist) {
  const auto refusal = [](const char* options) {
    return error_of([&] { make<Backbone>("btsnet_50", options); });
  };
  EXPECT_THAT(refusal("cardinality: 12"), HasSubstr("there are 8, 16 and 32"));
  EXPECT_THAT(refusal("branches: 5"), HasSubstr("branches"));
  EXPECT_THAT(refusal("fuse: t"), HasSubstr("fuse"));
  EXPECT_THAT(refusal("ops: O3"), HasSubstr("ops"));
}

}  // namespace
}  // namespace distal
