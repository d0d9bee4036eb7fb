// A network of others as a backbone: what EveryBackbone (conformance.h) asks of the others, and
// what the file adds.

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/models/model_options.h"
#include "distal/models/network_testing.h"
#include "distal/models/opened_network.h"
#include "distal/models/saved_model.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NetworkBackboneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    small_.write(file_, 32);
    const std::string missing = error_of([&] { options().build(5, Random(1)); });
    if (missing.find("built without OpenVINO") != std::string::npos) GTEST_SKIP() << missing;
  }

  ModelOptions options(const std::string& more = "head: linear") const {
    ModelOptions read;
    read_options(read, fmt::format("{{name: network, network: {{file: {}}}, {}}}", file_, more),
                 "test");
    return read;
  }
  static at::Tensor clips(int64_t count = 4) {
    return at::rand({count, 3, 4, 32, 32}, at::make_generator<at::CPUGeneratorImpl>(1)) * 2 - 1;
  }
  std::string saved() const {
    const ModelOptions made = options();
    save_model(folder_ / "m/m.safetensors", *made.build(2, Random(1)),
               side_json(made, {"a", "b"}, ""));
    return folder_ / "m/m.safetensors";
  }

  const TemporaryFolder folder_;
  const bool made_ = std::filesystem::create_directory(folder_ / "m");
  const std::string file_ = folder_ / "small.onnx";
  const SmallNetwork small_{3};
};

TEST_F(NetworkBackboneTest, GivesTheFeaturesOfTheFileAndLogitsOfItsHead) {
  const Model net = options().build(5, Random(1));
  net->eval();
  const torch::NoGradGuard no_grad;
  const Output output = net->forward(clips());
  EXPECT_LT((output.embedding - small_.features(clips())).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(at::equal(output.logits, net->head(output.embedding)));
  EXPECT_TRUE(at::allclose(output.logits, output.embedding.matmul(net->head_weight().t())))
      << "a fresh bias is 0";
  EXPECT_EQ(net->embedding_size(), 6);
}

TEST_F(NetworkBackboneTest, TrainsItsHeadAlone) {
  for (const auto& [head, parameters] : std::map<std::string, int64_t>{
           {"head: linear", 5 * 6 + 5},
           {"head: probe", 5 * 6 + 5},
           {"head: mlp, hidden: 7, dropout: 0.2", 7 * 6 + 7 + 5 * 7 + 5}}) {
    const Model net = options(head).build(5, Random(1));
    EXPECT_EQ(parameter_count(*net), parameters) << head;
    net->train();
    net->forward(clips()).logits.square().sum().backward();
    for (const auto& row : net->named_parameters()) {
      EXPECT_TRUE(row.key().starts_with("fc.")) << row.key();
      ASSERT_TRUE(row.value().grad().defined()) << row.key();
      EXPECT_GT(row.value().grad().abs().max().item<float>(), 0) << row.key();
    }
  }
}

TEST_F(NetworkBackboneTest, IsFrozenWithoutTheRecipeSayingSo) {
  EXPECT_TRUE(options().backbone_frozen());
  EXPECT_EQ(options().network()->file, file_);
  EXPECT_EQ(error_of([&] { options("freeze: [backbone]").build(2, Random(1)); }), "");
  ModelOptions ours;
  read_options(ours, "{name: resnet3d, depth: 10}", "test");
  EXPECT_FALSE(ours.backbone_frozen());
  EXPECT_EQ(ours.network(), nullptr);
}

TEST_F(NetworkBackboneTest, HasTheSameWeightsForTheSameSeedAndOthersForAnother) {
  for (const char* head : {"head: linear", "head: mlp"}) {
    const auto weight = [&](uint64_t seed) {
      return options(head).build(5, Random(seed))->parameters()[0].clone();
    };
    EXPECT_TRUE(at::equal(weight(3), weight(3)));
    EXPECT_FALSE(at::equal(weight(3), weight(4)));
  }
}

TEST_F(NetworkBackboneTest, ReadsItsFileOnceForAllNets) {
  EXPECT_EQ(options().build(2, Random(1))->network(),
            options("head: mlp").build(9, Random(2))->network());
  SmallNetwork(4).write(file_, 48);
  EXPECT_EQ(opened_network(*options().network())->size_px(), 48)
      << "a file that changed is another";
}

TEST_F(NetworkBackboneTest, GivesEqualLogitsAfterSavingAndLoading) {
  for (const char* head : {"head: linear", "head: mlp, hidden: 7"}) {
    const ModelOptions made = options(head);
    const Model net = made.build(2, Random(1));
    net->eval();
    save_model(folder_ / "m/m.safetensors", *net, side_json(made, {"a", "b"}, ""));
    const SavedModel loaded = load_model(folder_ / "m/m.safetensors");
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(loaded.net->forward(clips()).logits, net->forward(clips()).logits));
    EXPECT_EQ(loaded.network, net->network()->id());
  }
}

TEST_F(NetworkBackboneTest, IsFoundBesideTheModelWhereItWasMoved) {
  const std::string model = saved();
  std::filesystem::rename(file_, folder_ / "m/small.onnx");
  EXPECT_EQ(load_model(model).options.network()->file, folder_ / "m/small.onnx");
  std::filesystem::remove(folder_ / "m/small.onnx");
  EXPECT_THAT(error_of([&] { load_model(model); }),
              ::testing::AllOf(HasSubstr(model), HasSubstr(file_ + ", is missing"),
                               HasSubstr("copy it beside the model")));
}

TEST_F(NetworkBackboneTest, IsRefusedWhereItsContentHasChanged) {
  const std::string model = saved();
  SmallNetwork(4).write(file_, 32);
  EXPECT_THAT(error_of([&] { load_model(model); }),
              HasSubstr(file_ + " is not the network that its head was trained on"));
}

}  // namespace
}  // namespace distal
