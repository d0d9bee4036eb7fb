// What every backbone promises when it is frozen, checked for every file of models/backbones/: its
// graph computes what the module does.

#include "distal/infer/freeze.h"

#include <set>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/infer/openvino.h"
#include "distal/models/testing.h"

namespace distal {
namespace {

[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

// With running statistics that are not 0 and 1, as after training.
Model trained_net(const std::string& name, const std::string& options) {
  const auto net = make<Backbone>(name, options)->build(5, Random(1));
  net->train();
  const torch::NoGradGuard no_grad;
  for (int64_t i = 0; i < 3; ++i) net->forward(at::randn({2, 3, 8, 40, 48}));
  net->eval();
  return net;
}

double relative_error(const at::Tensor& ours, const at::Tensor& theirs) {
  return ((ours - theirs).norm() / theirs.norm()).item<double>();
}

class EveryFrozenBackbone : public ::testing::TestWithParam<SmallBackbone> {};

TEST_P(EveryFrozenBackbone, ComputesWhatTheModuleDoes) {
  if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
  const auto net = trained_net(GetParam().name, GetParam().options);
  const OnnxModel model = freeze(*net, {3, 8, 40, 48});
  for (const auto& node : model.nodes) EXPECT_NE(node.type, "") << node.output;
  const auto clips = at::randn({3, 3, 8, 40, 48});
  const torch::NoGradGuard no_grad;
  const Output expected = net->forward(clips);
  for (const int64_t batch : {3, 4}) {
    OpenvinoOptions options;
    options.batch = batch;
    options.threads = 1;
    const Output output = openvino_engine(model, options)->run(clips);
    EXPECT_EQ(output.logits.sizes(), expected.logits.sizes());
    EXPECT_LT(relative_error(output.logits, expected.logits), 1e-4);
    EXPECT_LT(relative_error(output.embedding, expected.embedding), 1e-4);
  }
}

TEST_P(EveryFrozenBackbone, IsLeftAsItWas) {
  const auto net = make<Backbone>(GetParam().name, GetParam().options)->build(5, Random(1));
  net->parameters()[0].requires_grad_(false);
  std::vector<at::Tensor> before;
  for (const auto& [name, tensor] : state(*net)) before.push_back(tensor.detach().clone());
  freeze(*net, {3, 8, 40, 48});
  EXPECT_TRUE(net->is_training());
  EXPECT_FALSE(net->parameters()[0].requires_grad());
  EXPECT_TRUE(net->parameters()[1].requires_grad());
  size_t i = 0;
  for (const auto& [name, tensor] : state(*net))
    EXPECT_TRUE(at::equal(tensor, before[i++])) << name;
}

TEST_P(EveryFrozenBackbone, CallsItsNodesByModules) {
  const auto net = trained_net(GetParam().name, GetParam().options);
  const OnnxModel model = freeze(*net, {3, 8, 40, 48});
  std::set<std::string> names;
  for (const OnnxNode& node : model.nodes) {
    EXPECT_TRUE(names.insert(node.name).second) << node.name << " stands twice";
    const bool leaves = node.output == "logits" || node.output == "embedding";
    EXPECT_TRUE(leaves || node.output == node.name) << node.name << " makes " << node.output;
  }
  std::set<std::string> modules;
  for (const auto& row : net->named_modules()) modules.insert(row.key());
  for (const std::string& name : names) {
    const size_t slash = name.rfind('/');
    const bool alone = slash == std::string::npos;
    EXPECT_TRUE(alone || modules.count(name.substr(0, slash)) > 0) << name;
  }
  for (const auto& [name, tensor] : model.constants)
    EXPECT_NE(name.find_first_of("./"), std::string::npos) << name << " says whose it is";
}

TEST(Freeze, CallsTheLayersOfAResidualNetwork) {
  const auto net = trained_net("resnet3d", "depth: 10, width: 4");
  std::set<std::string> names;
  for (const OnnxNode& node : freeze(*net, {3, 8, 40, 48}).nodes) names.insert(node.name);
  for (const char* name : {"conv1/Conv", "conv1/Relu", "layer1.0.conv1/Conv", "layer2.0.conv2/Add",
                           "layer2.0.downsample.0/Conv", "fc/Gemm"})
    EXPECT_EQ(names.count(name), 1) << name;
}

INSTANTIATE_TEST_SUITE_P(Backbones, EveryFrozenBackbone, ::testing::ValuesIn(small_backbones()),
                         [](const auto& info) {
                           return fmt::format("{}_{}", info.param.name, info.index);
                         });

}  // namespace
}  // namespace distal
