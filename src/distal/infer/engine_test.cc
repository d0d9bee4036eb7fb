#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/files.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Engines : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
    net = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(4, Random(1));
    net->eval();
    model = freeze(*net, {3, 4, 32, 32});
    clips = at::randn({20, 3, 4, 32, 32});
    options.batch = 4;
    options.threads = 2;
  }
  Model net;
  OnnxModel model;
  at::Tensor clips;
  OpenvinoOptions options;
};

TEST_F(Engines, AnAnswerDoesNotDependOnItsCompanyOrItsPlace) {
  const auto engine = openvino_engine(model, options);
  const auto together = engine->run(clips.narrow(0, 0, 4)).logits;
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_TRUE(at::equal(engine->run(clips.narrow(0, i, 1)).logits[0], together[i])) << i;
  EXPECT_TRUE(at::equal(engine->run(clips.narrow(0, 0, 4).flip(0)).logits.flip(0), together));
}

TEST_F(Engines, SeveralBatchesUnderWayKeepTheirOwnAnswers) {
  const auto engine = openvino_engine(model, options);
  EXPECT_GT(engine->requests(), 1);
  std::vector<std::future<Output>> answers;
  for (const auto& part : clips.split(3)) answers.push_back(engine->submit(part));
  std::vector<at::Tensor> logits, embeddings;
  for (auto& answer : answers) {
    const Output output = answer.get();
    logits.push_back(output.logits);
    embeddings.push_back(output.embedding);
  }
  const torch::NoGradGuard no_grad;
  const auto expected = libtorch_engine(net)->run(clips);
  EXPECT_TRUE(at::allclose(at::cat(logits), expected.logits, 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(at::cat(embeddings), expected.embedding, 1e-4, 1e-6));
}

TEST_F(Engines, EndingBeforeTheAnswersWaitsForThem) {
  std::vector<std::future<Output>> answers;
  {
    const auto engine = openvino_engine(model, options);
    for (const auto& part : clips.split(4)) answers.push_back(engine->submit(part));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get().logits.size(0), 4);
}

TEST_F(Engines, AnAnswerThatNobodyTookMakesRoomAndCanBeTakenLater) {
  const auto engine = openvino_engine(model, options);
  std::vector<std::future<Output>> answers;
  for (int64_t i = 0; i < 20; ++i) answers.push_back(engine->submit(clips.narrow(0, i, 1)));
  for (int64_t i = 19; i >= 0; --i)
    EXPECT_TRUE(at::allclose(answers[i].get().logits, engine->run(clips.narrow(0, i, 1)).logits))
        << i;
}

TEST_F(Engines, ClipsOfAnotherSizeAreRefusedAndTheEngineGoesOn) {
  const auto engine = openvino_engine(model, options);
  auto before = engine->submit(clips.narrow(0, 0, 2));
  EXPECT_THAT(error_of([&] {
                engine->submit(at::zeros({2, 3, 4, 32, 36}));
              }),
              HasSubstr("takes clips [3, 4, 32, 32] and gets [3, 4, 32, 36]"));
  EXPECT_EQ(before.get().logits.size(0), 2);
  EXPECT_EQ(engine->run(clips.narrow(0, 0, 4)).logits.size(0), 4);
}

TEST_F(Engines, FewClipsTakeNoMoreRoomThanTheyNeed) {
  options.clips = 3;
  const auto engine = openvino_engine(model, options);
  EXPECT_EQ(engine->batch(), 3);
  EXPECT_EQ(engine->requests(), 2) << "one stream and one in waiting";
}

// Adds up as many clips as there are in a batch: what the first of two clips gets depends on the
// batch.
class BatchCounter final : public Net {
 public:
  Output forward(const at::Tensor& clips) override {
    const auto x = clips.flatten(1).narrow(1, 0, 4) / static_cast<double>(clips.size(0));
    return {x, x};
  }
  at::Tensor head(const at::Tensor& embedding) override { return embedding; }
  int64_t embedding_size() const override { return 4; }
};

TEST(Freeze, RefusesANetThatCountsItsClipsAndLibTorchEvaluatesIt) {
  const auto net = std::make_shared<BatchCounter>();
  EXPECT_THAT(error_of([&] {
                freeze(*net, {3, 4, 32, 32});
              }),
              HasSubstr("how many there are"))
      << "frozen for two clips";
  if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
  std::string note;
  const auto engine = quicker_engine(net, {3, 4, 32, 32}, 1000, 1, &note);
  EXPECT_THAT(note, HasSubstr("evaluated by LibTorch"));
  EXPECT_EQ(engine->run(at::ones({5, 3, 4, 32, 32})).logits[0][0].item<float>(), 0.2F);
}

TEST_F(Engines, AFileAnswersAsTheModelInMemory) {
  const TemporaryFolder folder;
  write_atomically(folder / "m.onnx", model.serialised());
  save_openvino(model, folder / "m.xml");
  const auto expected = openvino_engine(model, options)->run(clips.narrow(0, 0, 4)).logits;
  for (const char* name : {"m.onnx", "m.xml"})
    EXPECT_TRUE(at::equal(
        openvino_file_engine(folder / name, options)->run(clips.narrow(0, 0, 4)).logits, expected))
        << name;
  EXPECT_TRUE(is_onnx(model.serialised()));
  EXPECT_FALSE(is_onnx(model.serialised().substr(0, 1000)) || is_onnx("not a model") ||
               is_onnx(""));
  const std::string broken = folder.write("broken.onnx", "not a model");
  EXPECT_THAT(error_of([&] { openvino_file_engine(broken, options); }),
              HasSubstr("broken.onnx: no ONNX file, or cut off; copy it again"));
}

TEST_F(Engines, WhatOpenvinoRefusesIsSaidInOurWords) {
  const TemporaryFolder folder;
  const std::string below = folder.write("file", "no folder") + "/m.xml";
  EXPECT_EQ(error_of([&] { save_openvino(model, below); }),
            below + ": OpenVINO cannot write it and the .bin beside it; check its folder and the "
                    "space on the disk");
  model.nodes.at(0).type = "NoSuchOperation";
  EXPECT_THAT(error_of([&] { openvino_engine(model, options); }),
              AllOf(StartsWith("OpenVINO cannot compile the model: "),
                    HasSubstr("--engine libtorch"), Not(HasSubstr("NoSuch"))));
}

TEST_F(Engines, AModelThatIsSoundAndNotOursIsToldFromOneThatIsBroken) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    write_atomically(folder / "m.onnx", bytes);
    return error_of([&] { openvino_file_engine(folder / "m.onnx", options); });
  };
  std::string renamed = model.serialised();
  for (size_t at = 0; (at = renamed.find("embedding", at)) != std::string::npos;)
    renamed.replace(at, 9, "something");
  EXPECT_THAT(refusal(renamed),
              ::testing::AllOf(HasSubstr("m.onnx: takes f32 "), HasSubstr("something"),
                               HasSubstr("where a model of distal takes f32 [N, 3, T, H, W], or "
                                         "frames, and gives logits, embedding")));
  OnnxModel pictures;
  pictures.clip = {3, 8, 8};
  pictures.classes = pictures.features = 192;
  pictures.nodes = {{"Flatten", {"clips"}, "logits", {{"axis", int64_t{1}}}},
                    {"Identity", {"logits"}, "embedding", {}}};
  EXPECT_THAT(refusal(pictures.serialised()), HasSubstr("m.onnx: takes f32 "));
  EXPECT_EQ(refusal(model.serialised()), "");
}

TEST_F(Engines, BfloatIsRefusedWhereTheProcessorHasNone) {
  const auto capabilities = openvino_capabilities();
  options.precision = "bf16";
  if (std::count(capabilities.begin(), capabilities.end(), "BF16") > 0) {
    const auto some = clips.narrow(0, 0, 4);
    EXPECT_TRUE(at::allclose(openvino_engine(model, options)->run(some).logits,
                             openvino_engine(model, {})->run(some).logits, 0.05, 0.05));
    return;
  }
  EXPECT_THROW(openvino_engine(model, options), Error);
}

// One channel, weight 2, bias 1; the norm has mean 3, variance 15, weight 8, bias 5, epsilon 1: y =
// 8 / 4 * (2 x + 1 - 3) + 5 = 4 x + 1.
OnnxModel conv_and_norm() {
  OnnxModel model;
  const auto one = [](float value) { return at::full({1}, value); };
  model.constants = {{"w", at::full({1, 1, 1, 1}, 2.F)},
                     {"b", one(1)},
                     {"g", one(8)},
                     {"h", one(5)},
                     {"m", one(3)},
                     {"v", one(15)}};
  model.nodes = {{"Conv", {"clips", "w", "b"}, "x", {}},
                 {"BatchNormalization", {"x", "g", "h", "m", "v"}, "logits", {{"epsilon", 1.F}}}};
  return model;
}

TEST(FoldBatchNorms, ScalesTheWeightAndMovesTheBias) {
  OnnxModel model = conv_and_norm();
  fold_batch_norms(model);
  ASSERT_EQ(model.nodes.size(), 1U);
  EXPECT_EQ(model.nodes[0].output, "logits");
  EXPECT_FLOAT_EQ(model.constants.at(model.nodes[0].inputs[1]).item<float>(), 4);
  EXPECT_FLOAT_EQ(model.constants.at(model.nodes[0].inputs[2]).item<float>(), 1);
  EXPECT_EQ(model.constants.size(), 2U) << "what nothing reads is gone";
}

TEST(FoldBatchNorms, LeavesAConvolutionThatSomeoneElseReads) {
  OnnxModel model = conv_and_norm();
  model.nodes.push_back({"Relu", {"x"}, "embedding", {}});
  fold_batch_norms(model);
  EXPECT_EQ(model.nodes.size(), 3U);
  EXPECT_EQ(model.constants.at("w").item<float>(), 2);
}

}  // namespace
}  // namespace distal
