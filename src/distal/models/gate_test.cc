#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/classifier.h"
#include "distal/models/gate.h"
#include "distal/models/layers.h"
#include "distal/models/output.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class Fault {
 public:
  explicit Fault(
      std::function<at::Tensor(const Conv&, const at::Tensor& weight, const at::Tensor& x)> fault) {
    Conv::bf16_fault() = std::move(fault);
  }
  ~Fault() { Conv::bf16_fault() = nullptr; }
  Fault(const Fault&) = delete;
};

// The weight gradient that oneDNN returns where the input is shorter than the kernel: nothing to do
// with the right one.
class ShortInputFault : public Fault {
 public:
  ShortInputFault()
      : Fault([](const Conv& conv, const at::Tensor& weight, const at::Tensor& x) {
          const auto& kernel = conv.shape().kernel;
          if (kernel.size() != 3 || x.size(2) <= 1 || x.size(2) >= kernel[0] ||
              !weight.requires_grad() || !at::GradMode::is_enabled())
            return weight;
          const auto copy = weight * 1;
          copy.register_hook([](const at::Tensor& gradient) { return at::randn_like(gradient); });
          return copy;
        }) {}
};

class OneConv final : public Classifier {
 public:
  explicit OneConv(const ConvShape& shape)
      : conv(register_module("conv", std::make_shared<Conv>(shape))) {
    add_head(shape.out, 2, 0);
    initialise(*this, Random(3));
  }
  Output forward(const at::Tensor& clips) override {
    const auto embedding = pooled(conv->forward(clips));
    return {head(embedding), embedding};
  }
  std::shared_ptr<Conv> conv;
};

class TwinConvs final : public Classifier {  // two layers of one shape
 public:
  explicit TwinConvs(bool bias = false)
      : first(register_module("first", std::make_shared<Conv>(cube(3, 3, 3, 3)))) {
    ConvShape shape = cube(3, 3, 3, 3);
    shape.bias = bias;
    conv = register_module("conv", std::make_shared<Conv>(shape));
    add_head(3, 2, 0);
    initialise(*this, Random(3));
  }
  Output forward(const at::Tensor& clips) override {
    const auto embedding = pooled(conv->forward(first->forward(clips)));
    return {head(embedding), embedding};
  }
  std::shared_ptr<Conv> first, conv;
};

template <class OfConv>
at::Tensor weight_gradient(OfConv& net, const at::Tensor& clips, bool bf16) {
  net.zero_grad();
  Output output;
  if (bf16) {
    const Bf16Scope scope;
    output = net.forward(clips);
  } else {
    output = net.forward(clips);
  }
  EXPECT_EQ(output.logits.scalar_type(), at::kFloat);
  at::cross_entropy_loss(output.logits, at::tensor({0, 1}).to(at::kLong)).backward();
  return net.conv->weight.grad().clone();
}

double error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(Gate, CatchesAWrongWeightGradientAndTheSafePathMendsIt) {
  const ShortInputFault fault;
  OneConv net(cube(3, 3, 4, 3));
  const auto clips = at::randn({2, 3, 2, 16, 16});
  const auto exact = weight_gradient(net, clips, false);
  EXPECT_GT(error(weight_gradient(net, clips, true), exact), 0.5) << "the fault is not on the path";
  const auto report = gate(net, clips.sizes().vec());
  EXPECT_EQ(report.unsafe(), 1);
  EXPECT_GT(report.rows[0].parameter_error, 0.5);
  EXPECT_LT(report.rows[0].output_error, 0.02);
  EXPECT_LT(report.rows[0].input_error, 0.02);
  EXPECT_TRUE(net.conv->full_precision());
  EXPECT_LT(error(weight_gradient(net, clips, true), exact), 0.02);
  EXPECT_THAT(report.text(), HasSubstr("conv: input [2, 3, 2, 16, 16], weight [4, 3, 3, 3, 3]"));
}

TEST(Gate, ComparesTheWeightGradientThoughTheFirstLayerOfTheShapeIsFrozen) {
  const ShortInputFault fault;
  TwinConvs net;
  net.first->weight.set_requires_grad(false);
  const auto weight = net.first->weight.clone();
  const auto clips = at::randn({2, 3, 2, 16, 16});
  const auto exact = weight_gradient(net, clips, false);
  const auto report = gate(net, clips.sizes().vec());
  ASSERT_THAT(report.rows, SizeIs(1)) << "the two layers do not call alike: " << report.text();
  EXPECT_EQ(report.rows[0].layer, "first");
  EXPECT_EQ(report.rows[0].layers, 2);
  EXPECT_GT(report.rows[0].parameter_error, 0.5);
  EXPECT_EQ(report.unsafe(), 1);
  EXPECT_TRUE(net.conv->full_precision());
  EXPECT_LT(error(weight_gradient(net, clips, true), exact), 0.02);
  EXPECT_FALSE(net.first->weight.requires_grad());
  EXPECT_TRUE(at::equal(net.first->weight, weight));
}

TEST(Gate, ABiasMakesAnotherCall) {
  TwinConvs net(/*bias=*/true);
  EXPECT_THAT(gate(net, {2, 3, 4, 16, 16}).rows, SizeIs(2));
}

// A continued run asks the gate with the weights it has by then.
TEST(Gate, ItsVerdictDependsOnShapesAlone) {
  const Fault none([](const Conv&, const at::Tensor& weight, const at::Tensor&) {
    return weight;
  });  // each gate compares anew
  OneConv net(cube(3, 3, 4, 3));
  const auto first = gate(net, {2, 3, 4, 16, 16}).rows.at(0);
  {
    const torch::NoGradGuard no_grad;
    net.conv->weight.zero_();
  }
  const auto second = gate(net, {2, 3, 4, 16, 16}).rows.at(0);
  EXPECT_GT(first.output_error, 1e-5) << "bf16 was not used";
  EXPECT_NEAR(second.output_error, first.output_error, 1e-7);
  EXPECT_NEAR(second.input_error, first.input_error, 1e-7);
  EXPECT_NEAR(second.parameter_error, first.parameter_error, 1e-7);
  EXPECT_EQ(net.conv->weight.abs().max().item<float>(), 0)
      << "the comparison left its weights behind";
}

TEST(Gate, ComparesACallOnceInAProcessAndSaysTheSameOfTheNextNet) {
  OneConv net(cube(3, 3, 5, 3));
  OneConv other(cube(3, 3, 5, 3));
  const auto first = gate(net, {2, 3, 4, 16, 16}).rows.at(0);
  const auto second = gate(other, {2, 3, 4, 16, 16}).rows.at(0);
  EXPECT_GT(first.output_error, 1e-5);
  EXPECT_EQ(second.output_error, first.output_error);
  EXPECT_EQ(second.input_error, first.input_error);
  EXPECT_EQ(second.parameter_error, first.parameter_error);
  EXPECT_EQ(gate(other, {2, 3, 4, 16, 16}, first.output_error / 2).unsafe(), 1)
      << "the tolerance is asked each time";
  EXPECT_TRUE(other.conv->full_precision());
}

TEST(Gate, GivesNoAlarmWhereBf16IsRight) {
  const ShortInputFault fault;
  OneConv net(cube(3, 3, 4, 3));
  const auto clips = at::randn({2, 3, 4, 16, 16});
  const auto report = gate(net, clips.sizes().vec());
  EXPECT_EQ(report.unsafe(), 0) << report.text();
  EXPECT_GT(report.rows[0].parameter_error, 1e-5) << "bf16 was not used";
  EXPECT_FALSE(net.conv->full_precision());
  EXPECT_LT(error(weight_gradient(net, clips, true), weight_gradient(net, clips, false)), 0.02);
}

TEST(Gate, FindsNotANumberInTheOutput) {
  const Fault fault([](const Conv&, const at::Tensor& weight, const at::Tensor&) {
    return weight * std::nan("");
  });
  OneConv net(cube(3, 3, 4, 3));
  const auto report = gate(net, {1, 3, 4, 16, 16});
  EXPECT_EQ(report.unsafe(), 1);
  EXPECT_TRUE(std::isinf(report.rows[0].output_error));
}

// LibTorch's own bf16 gradients are wrong there, and a kernel of 7 corrupts the heap; which of
// these run in bf16 says the processor.
TEST(Gate, FindsNothingWhereTheClipIsShorterThanTheKernel) {
  for (const int64_t kernel : {3, 5, 7}) {
    for (int64_t frames = 1; frames < kernel; ++frames) {
      OneConv net(cube(3, 3, 4, kernel));
      EXPECT_EQ(gate(net, {2, 3, frames, 16, 16}).unsafe(), 0)
          << "kernel " << kernel << ", " << frames << " frames";
    }
  }
}

TEST(Gate, ComparesEachDistinctConvolutionOnceAndLeavesTheNetAlone) {
  const ShortInputFault fault;
  const auto net = make<Backbone>("resnet3d", "depth: 18, width: 4")->build(3, Random(1));
  net->train();
  const auto mean = net->named_buffers()["bn1.running_mean"].clone();
  const auto report = gate(*net, {2, 3, 8, 32, 32});
  EXPECT_TRUE(net->is_training());
  EXPECT_TRUE(at::equal(net->named_buffers()["bn1.running_mean"], mean));
  EXPECT_FALSE(net->parameters()[0].grad().defined());
  std::map<std::string, GateReport::Row> by_layer;
  for (const auto& row : report.rows) by_layer[row.layer] = row;
  EXPECT_EQ(by_layer.at("layer1.0.conv1").layers, 4);  // T = 4: all of layer1 alike
  EXPECT_TRUE(by_layer.at("layer1.0.conv1").safe);
  EXPECT_FALSE(by_layer.at("layer3.0.conv1").safe);        // T = 2 enters, kernel 3
  EXPECT_TRUE(by_layer.at("layer3.0.downsample.0").safe);  // kernel 1
  EXPECT_TRUE(by_layer.at("layer4.0.conv2").safe);         // T = 1
}

TEST(Bf16Scope, NestsAndEnds) {
  const auto x = at::randn({2, 3});
  const auto w = at::randn({4, 3});
  {
    const Bf16Scope outer;
    { const Bf16Scope inner; }
    EXPECT_EQ(at::linear(x, w).scalar_type(), at::kBFloat16);
  }
  EXPECT_EQ(at::linear(x, w).scalar_type(), at::kFloat);
}

TEST(Bf16Scope, LeavesOutputsInFloat32AndGradientsFinite) {
  const std::map<std::string, std::string> small = {{"resnet3d", "depth: 10, width: 4"},
                                                    {"eco_lite", "width: 0.07"},
                                                    {"tsm", "base: resnet18, width: 0.1"}};
  for (const auto& [name, options] : small) {
    const auto net = make<Backbone>(name, options)->build(3, Random(1));
    const Bf16Scope scope;
    const auto output = net->forward(at::randn({2, 3, 4, 32, 32}));
    EXPECT_EQ(output.logits.scalar_type(), at::kFloat) << name;
    EXPECT_EQ(output.embedding.scalar_type(), at::kFloat) << name;
    if (!cpu_has_bf16()) continue;  // the backward pass is slow without the hardware
    output.logits.sum().backward();
    for (const auto& row : net->named_parameters())
      EXPECT_TRUE(row.value().grad().isfinite().all().item<bool>()) << name << " " << row.key();
  }
}

}  // namespace
}  // namespace distal
