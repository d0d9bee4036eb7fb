#include "distal/infer/quantise.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"

namespace distal {
namespace {

QuantiseOptions options_with(const std::string& range) {
  QuantiseOptions options;
  options.range = range;
  return options;
}

// 1000 values near 0 and one at 100: the extremes keep it, a percentile and the squared error of
// many small values do not.
at::Tensor one_far_out() {
  auto counts = at::zeros({200}, at::kDouble);
  counts.slice(0, 0, 4).fill_(250);  // 0 to 2
  counts[199] = 1;
  return counts;
}

TEST(Grid, CoversTheExtremesAPercentileOrWhatCostsLeast) {
  EXPECT_FLOAT_EQ(grid_for(0, 100, one_far_out(), options_with("min_max")).scale, 100.F / 255);
  auto percentile = options_with("percentile");
  percentile.percentile = 99;
  EXPECT_FLOAT_EQ(grid_for(0, 100, one_far_out(), percentile).scale, 2.F / 255);
  percentile.percentile = 100;
  EXPECT_FLOAT_EQ(grid_for(0, 100, one_far_out(), percentile).scale, 100.F / 255);
  auto close = at::ones({200}, at::kDouble);
  EXPECT_NEAR(grid_for(0, 100, close, options_with("mse")).scale, 100.F / 255, 3.F / 255)
      << "evenly spread: nothing to gain";
  const auto squared = grid_for(0, 100,
                                at::cat({at::full({100}, 1e6, at::kDouble),
                                         at::zeros({99}, at::kDouble), at::ones({1}, at::kDouble)}),
                                options_with("mse"));
  EXPECT_LT(squared.scale, 60.F / 255)
      << "a hundred million values gain from finer steps, one loses";
}

TEST(Grid, IsUnsignedWhereNothingIsNegativeAndSymmetricElsewhere) {
  const auto counts = at::ones({8}, at::kDouble);
  EXPECT_EQ(grid_for(0, 1, counts, options_with("min_max")).low, 0);
  EXPECT_EQ(grid_for(0, 1, counts, options_with("min_max")).high, 255);
  const Grid both = grid_for(-2, 1, counts, options_with("min_max"));
  EXPECT_EQ(both.low, -127);
  EXPECT_FLOAT_EQ(both.scale, 2.F / 127);
}

class Int8 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
    torch::manual_seed(1);
    net = make<Backbone>("resnet3d", "depth: 10, width: 8")->build(4, Random(1));
    net->train();
    const torch::NoGradGuard no_grad;
    for (int64_t i = 0; i < 4; ++i) net->forward(at::randn({4, 3, 4, 32, 32}));
    net->eval();
    clips = at::randn({10, 3, 4, 32, 32});
    model = freeze(*net, {3, 4, 32, 32});
  }
  ConsoleProgress progress{ConsoleProgress::Mode::quiet};
  Model net;
  at::Tensor clips;
  OnnxModel model;
};

TEST_F(Int8, StaysCloseAndHasEveryLayerInEightBits) {
  const Quantised result = quantise(model, clips, {}, 1, progress);
  EXPECT_EQ(result.layers,
            std::count_if(model.nodes.begin(), model.nodes.end(), [](const OnnxNode& node) {
              return node.type == "Conv" || node.type == "Gemm";
            }));
  EXPECT_TRUE(result.left.empty());
  EXPECT_GT(result.change, 0) << "eight bits are not thirty-two";
  EXPECT_LE(result.change, 0.01);
  for (const auto& node : result.model.nodes) {
    EXPECT_TRUE(node.type != "Conv" || node.inputs[1].ends_with("_float")) << node.output;
  }
}

TEST_F(Int8, LeavesTheLayersThatLoseMostInFloatWhereTheToleranceIsSmall) {
  QuantiseOptions strict;
  strict.tolerance = quantise(model, clips, {}, 1, progress).change * 0.7;
  const Quantised result = quantise(model, clips, strict, 1, progress);
  EXPECT_FALSE(result.left.empty());
  EXPECT_LE(result.change, strict.tolerance);
  strict.tolerance = 0;
  EXPECT_THROW(quantise(model, clips, strict, 1, progress), Error);
}

TEST_F(Int8, LeavesLayersInFloatUntilNoMoreAccuracyIsLostThanStated) {
  const auto many = at::randn({40, 3, 4, 32, 32});
  auto labels = net->forward(many).logits.detach().argmax(1).clone();  // all right in float
  labels[0] = -1;                                                      // one unknown
  labels[1] = (labels[1] + 1) % 4;                                     // one wrong
  QuantiseOptions coarse;
  const auto quantised = [&](double loss) {
    coarse.accuracy_loss = loss;
    return quantise(model, many, coarse, 1, progress, labels);
  };
  int64_t left = 0;
  for (coarse.weight_bits = 2; coarse.weight_bits <= 4; ++coarse.weight_bits) {
    coarse.tolerance = 1;
    const Quantised all = quantised(-1);
    EXPECT_NEAR(all.float_accuracy, 38.0 / 39, 1e-9);
    coarse.tolerance = 0;
    EXPECT_TRUE(quantised(1).left.empty()) << "accuracy counts alone";
    const double loss = (all.float_accuracy - all.accuracy) / 2;
    if (loss <= 0) continue;
    try {
      const Quantised some = quantised(loss);
      EXPECT_GE(some.accuracy, some.float_accuracy - loss - 1e-9);
      EXPECT_FALSE(some.left.empty());
      left += std::ssize(some.left);
    } catch (const Error&) {  // one layer alone costs more
    }
  }
  EXPECT_GT(left, 0) << "so few bits cost answers here, and fewer layers of them fewer answers";
  EXPECT_THROW(quantise(model, clips, coarse, 1, progress), Error) << "without labels";
  EXPECT_THROW(quantise(model, clips, coarse, 1, progress, at::full({10}, -1, at::kLong)), Error);
}

// auto: what int8 leaves in float computes in bf16 where the processor has it; a float model never
// does.
TEST_F(Int8, AutoTouchesOnlyWhatEightBitsLeave) {
  const auto logits = [&](const OnnxModel& of, const std::string& precision) {
    OpenvinoOptions options;
    options.precision = precision;
    const auto engine = openvino_engine(of, options);
    return engine->run(clips.narrow(0, 0, engine->batch())).logits;
  };
  const OnnxModel int8 = quantise(model, clips, {}, 1, progress).model;
  EXPECT_TRUE(at::equal(logits(model, "auto"), logits(model, "f32")));
  const auto capabilities = openvino_capabilities();
  const bool bf16 =
      std::find(capabilities.begin(), capabilities.end(), "BF16") != capabilities.end();
  const auto automatic = logits(int8, "auto");
  const auto whole = logits(int8, "f32");
  EXPECT_NE(at::equal(automatic, whole), bf16);
  EXPECT_TRUE(at::allclose(automatic, whole, 0.1, 0.1));
}

TEST_F(Int8, WithoutClipsSaysWhatItWants) {
  EXPECT_THROW(quantise(model, clips.narrow(0, 0, 0), {}, 1, progress), Error);
}

}  // namespace
}  // namespace distal
