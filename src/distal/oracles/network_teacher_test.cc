// Networks from elsewhere as teachers: tiny ONNX files that are written here, and a program.

#include "distal/oracles/network_teacher.h"

#include <gmock/gmock.h>
#include <torch/script.h>

#include "distal/base/catalogue.h"
#include "distal/base/document.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/base/testing.h"
#include "distal/infer/onnx.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kFrames = 4;
constexpr int64_t kSize_px = 16;

/// Clips [N, 3, 4, 16, 16] to `embedding` [N, 3], their mean colour, and `logits` [N, C], that
/// through one matrix, or the softmax of these.
OnnxModel mean_colour_network(const torch::Tensor& matrix, bool softmax = false) {
  OnnxModel model;
  model.clip = {3, kFrames, kSize_px, kSize_px};
  model.classes = matrix.size(1);
  model.features = 3;
  model.constants["matrix"] = matrix;
  model.nodes.push_back({"ReduceMean",
                         {"clips"},
                         "embedding",
                         {{"axes", std::vector<int64_t>{2, 3, 4}}, {"keepdims", int64_t{0}}}});
  model.nodes.push_back({"MatMul", {"embedding", "matrix"}, softmax ? "sums" : "logits", {}});
  if (softmax) model.nodes.push_back({"Softmax", {"sums"}, "logits", {{"axis", int64_t{1}}}});
  return model;
}

class NetworkTeachers : public ::testing::Test {
 protected:
  NetworkTeachers() { matrix_ = torch::tensor({{4.0f, 0.0f}, {0.0f, 4.0f}, {1.0f, -1.0f}}); }

  void write(const OnnxModel& model) { folder_.write("t.onnx", model.serialised()); }

  NetworkTeacherOptions options(const std::string& more = "") const {
    NetworkTeacherOptions options;
    read_options(options, more.empty() ? "{}" : "{" + more + "}", "test");
    if (options.network.file.empty()) options.network.file = folder_ / "t.onnx";
    if (options.network.output.empty()) options.network.output = "logits";
    options.network.range = "signed";  // as our clips are
    options.network.mean = {0, 0, 0};
    options.network.std = {1, 1, 1};
    return options;
  }
  std::unique_ptr<Teacher> teacher(const NetworkTeacherOptions& options) {
    return NetworkTeacherFile(options).teacher(
        classes_, default_task(), [this](const std::string& line) { said_.push_back(line); });
  }
  std::string refusal(const NetworkTeacherOptions& options) {
    return error_of([&] { teacher(options); });
  }

  /// Of clips, by the matrix.
  torch::Tensor expected(const torch::Tensor& clips) const {
    return clips.mean({2, 3, 4}).matmul(matrix_);
  }

  TemporaryFolder folder_;
  torch::Tensor matrix_;
  Classes classes_{{"cut", "sew"}};
  std::vector<std::string> said_;
  torch::Tensor clips_ = torch::rand({5, 3, kFrames, kSize_px, kSize_px}) * 2 - 1;
};

TEST_F(NetworkTeachers, TurnLogitsIntoProbabilities) {
  write(mean_colour_network(matrix_));
  const auto answers = teacher(options())->answer(clips_, "a");
  EXPECT_TRUE(torch::allclose(answers, expected(clips_).softmax(1), 1e-4, 1e-5));
  const auto cool = teacher(options("temperature: 4"))->answer(clips_, "a");
  EXPECT_TRUE(torch::allclose(cool, (expected(clips_) / 4).softmax(1), 1e-4, 1e-5));
  EXPECT_THAT(said_, Contains(AllOf(HasSubstr("cut, sew"), HasSubstr("taken on trust"))));
}

TEST_F(NetworkTeachers, TakeProbabilitiesAsTheyAre) {
  write(mean_colour_network(matrix_, /*softmax=*/true));
  EXPECT_THAT(refusal(options()), AllOf(HasSubstr("t.onnx"), HasSubstr("gives probabilities"),
                                        HasSubstr("oracle.answers: probabilities")));
  const auto answers = teacher(options("answers: probabilities"))->answer(clips_, "a");
  EXPECT_TRUE(torch::allclose(answers, expected(clips_).softmax(1), 1e-4, 1e-5));
  write(mean_colour_network(matrix_));
  EXPECT_THAT(refusal(options("answers: probabilities")),
              AllOf(HasSubstr("gives no probabilities"), HasSubstr("oracle.answers: logits")));
}

TEST_F(NetworkTeachers, AnswerAClipTheSameInAnyCompany) {
  write(mean_colour_network(matrix_));
  const auto opened = teacher(options());
  const auto together = opened->answer(clips_, "a");
  for (int64_t i = 0; i < clips_.size(0); ++i)
    EXPECT_TRUE(torch::equal(together[i], opened->answer(clips_.narrow(0, i, 1), "b")[0])) << i;
}

TEST_F(NetworkTeachers, AreComparedWithTheListsByTheNamesInTheFile) {
  OnnxModel model = mean_colour_network(matrix_);
  model.metadata["classes"] = R"(["cut", "sew"])";
  write(model);
  EXPECT_EQ(refusal(options()), "");
  EXPECT_THAT(said_, IsEmpty());
  model.metadata["classes"] = R"(["sew", "cut"])";
  write(model);
  EXPECT_THAT(refusal(options()),
              AllOf(HasSubstr("(sew, cut)"), HasSubstr("(cut, sew)"), HasSubstr("oracle.classes")));
  const auto answers = teacher(options("classes: [sew, cut]"))->answer(clips_, "a");
  EXPECT_TRUE(torch::allclose(answers, expected(clips_).softmax(1).flip(1), 1e-4, 1e-5));
  EXPECT_THAT(said_, Contains(HasSubstr("put in the order of the lists")));
  classes_.names = {"cut", "tie"};
  EXPECT_THAT(refusal(options()), AllOf(HasSubstr("does not know tie"), HasSubstr("knows sew")));
}

TEST_F(NetworkTeachers, MayKnowMoreClassesThanTheLists) {
  const auto wide = torch::tensor(
      {{1.0f, 2.0f, 0.0f, 3.0f}, {0.5f, 0.0f, -1.0f, 1.0f}, {2.0f, 1.0f, 1.0f, 0.0f}});
  const std::string names = "classes: [tie, sew, drill, cut]";
  const auto ours = torch::tensor({3, 1}, torch::kInt64);
  for (const bool softmax : {false, true}) {
    write(mean_colour_network(wide, softmax));
    const std::string given = softmax ? names + ", answers: probabilities" : names;
    EXPECT_THAT(refusal(options()), HasSubstr("gives 4 numbers a clip"));
    EXPECT_THAT(refusal(options(given)), HasSubstr("knows tie, drill"));
    const auto answers =
        teacher(options(given + ", drop_other_classes: true"))->answer(clips_, "a");
    const auto logits = clips_.mean({2, 3, 4}).matmul(wide).index_select(1, ours);
    EXPECT_TRUE(torch::allclose(answers, logits.softmax(1), 1e-4, 1e-5)) << softmax;
  }
}

TEST_F(NetworkTeachers, ClassifyByTextsWhereTheyGiveEmbeddings) {
  write(mean_colour_network(matrix_));
  const auto texts = torch::tensor({{1.0f, 0.5f, 0.0f}, {0.0f, 1.0f, 2.0f}});
  write_npy(folder_ / "texts.npy", texts);
  const std::string zero_shot = fmt::format(
      "network: {{output: embedding}}, zero_shot: {{embeddings: '{}', classes: [cut, sew], "
      "temperature: 0.1}}",
      folder_ / "texts.npy");
  const auto answers = teacher(options(zero_shot))->answer(clips_, "a");
  const auto f = clips_.mean({2, 3, 4});
  const auto cosines = f.matmul(texts.t()) / f.norm(2, 1, true) / texts.norm(2, 1).unsqueeze(0);
  EXPECT_TRUE(torch::allclose(answers, (cosines / 0.1).softmax(1), 1e-4, 1e-5));
  write_npy(folder_ / "texts.npy", torch::ones({2, 7}));
  EXPECT_THAT(refusal(options(zero_shot)),
              HasSubstr("have 7 numbers each, and the network gives 3 a clip"));
}

TEST_F(NetworkTeachers, SayHowTheyWantTheirClips) {
  write(mean_colour_network(matrix_));
  const InputOptions input = NetworkTeacherFile(options()).input();
  EXPECT_EQ(input.size_px, kSize_px);
  EXPECT_EQ(input.sampling.frames, kFrames);
  const auto other = options("sampling: {rule: dense, stride: 3}, short_side_px: 20");
  EXPECT_EQ(NetworkTeacherFile(other).input().sampling.stride, 3);
  EXPECT_EQ(NetworkTeacherFile(other).input().sampling.rule, "dense");
  EXPECT_EQ(NetworkTeacherFile(other).input().short_side_px, 20);
  EXPECT_THAT(error_of([&] { NetworkTeacherFile(options("sampling: {frames: 5}")).input(); }),
              AllOf(HasSubstr("takes 4 frames a clip"), HasSubstr("oracle.sampling.frames = 5")));
  EXPECT_THAT(error_of([&] { NetworkTeacherFile(options("short_side_px: 12")).input(); }),
              HasSubstr("takes frames of 16 px"));
}

TEST_F(NetworkTeachers, MarkRowsThatAreNotFinite) {
  OnnxModel model = mean_colour_network(matrix_);
  model.nodes.back().output = "sums";
  model.nodes.push_back({"Sqrt", {"sums"}, "logits", {}});
  write(model);
  const auto opened = teacher(options());
  auto clips = torch::ones({2, 3, kFrames, kSize_px, kSize_px});
  clips[1] = -1;
  const auto answers = opened->answer(clips, "a");
  EXPECT_TRUE(torch::isfinite(answers[0]).all().item<bool>());
  EXPECT_TRUE(torch::isnan(answers[1]).all().item<bool>());
  EXPECT_THAT(opened->remark(), HasSubstr("clip 1 of the batch: value 0 is"));
}

TEST_F(NetworkTeachers, HaveAnotherVersionWhereTheirFilesDiffer) {
  write(mean_colour_network(matrix_));
  const std::string version = teacher(options())->version();
  EXPECT_EQ(teacher(options())->version(), version);
  write(mean_colour_network(matrix_ * 2));
  EXPECT_NE(teacher(options())->version(), version);
  const auto texts = fmt::format("network: {{output: embedding}}, zero_shot: {{embeddings: '{}'}}",
                                 folder_ / "texts.npy");
  write_npy(folder_ / "texts.npy", torch::eye(3).narrow(0, 0, 2));
  const std::string by_texts = teacher(options(texts))->version();
  write_npy(folder_ / "texts.npy", torch::eye(3).narrow(0, 1, 2));
  EXPECT_NE(teacher(options(texts))->version(), by_texts);
}

TEST_F(NetworkTeachers, KeepWhatIsSaidUntilSomebodyListens) {
  write(mean_colour_network(matrix_));
  NetworkTeacherFile file(options());
  file.teacher(classes_, default_task(), {});
  file.teacher(classes_, default_task(),
               [this](const std::string& line) { said_.push_back(line); });
  EXPECT_THAT(said_, Contains(HasSubstr("taken on trust")));
}

TEST_F(NetworkTeachers, OfAProgramAreSaidToBeOne) {
  torch::jit::Module module("teacher");
  module.define("def forward(self, x):\n    return x.mean([2, 3])[:, :2]\n");
  module.save(folder_ / "t.pt");
  auto program = options("network: {size_px: 16, frames: 1, layout: nchw}");
  program.network.file = folder_ / "t.pt";
  program.network.output = "";
  const auto answers = teacher(program)->answer(clips_, "a");
  EXPECT_TRUE(
      torch::allclose(answers, clips_.mean({2, 3, 4}).narrow(1, 0, 2).softmax(1), 1e-4, 1e-5));
  EXPECT_THAT(said_, Contains(AllOf(HasSubstr("t.pt"), HasSubstr("program"))));
}

TEST(NetworkKind, IsAProgramByTheEndingOfItsFile) {
  const auto kind = [](const std::string& file) {
    return make<Oracle>("network", fmt::format("network: {{file: {}}}", file));
  };
  EXPECT_FALSE(kind("a.onnx")->traits().foreign_code);
  EXPECT_FALSE(kind("a.xml")->traits().foreign_code);
  EXPECT_TRUE(kind("a.pt")->traits().foreign_code);
  EXPECT_TRUE(kind("a.pt2")->traits().foreign_code);
  EXPECT_EQ(kind("a.pt")->program(), "network.file: a.pt is a program");
  EXPECT_TRUE(kind("a.onnx")->traits().at_hand);
}

TEST(NetworkKind, RefusesOptionsThatContradictEachOther) {
  const auto refusal = [](const std::string& more) {
    return make<Oracle>("network", more)->contradiction({});
  };
  const std::string file = "network: {file: a.onnx";
  EXPECT_EQ(refusal(file + "}"), "");
  EXPECT_THAT(refusal(file + ", frames: 4}, sampling: {frames: 8}"), HasSubstr("leave one out"));
  EXPECT_EQ(refusal(file + ", frames: 1}, sampling: {frames: 8}"), "");
  EXPECT_THAT(refusal(file + ", size_px: 224}, short_side_px: 200"), HasSubstr("raise it"));
  EXPECT_THAT(refusal(file + "}, answers: probabilities, temperature: 2"),
              HasSubstr("temperature divides logits"));
  EXPECT_THAT(refusal(file + ", pooling: max}, answers: probabilities"), HasSubstr("take mean"));
  EXPECT_THAT(refusal(file + "}, zero_shot: {embeddings: t.npy}, classes: [a, b]"),
              HasSubstr("zero_shot has its own"));
  EXPECT_THAT(refusal(file + ", mean: [1]}"), HasSubstr("network"));
  EXPECT_THAT(refusal("network: {file: a.safetensors}"), HasSubstr("a.safetensors"));
}

TEST(NetworkKind, SaysWhatIsMissingAndWhoAnswers) {
  EXPECT_THAT(make<Oracle>("network", "temperature: 1")->missing(),
              HasSubstr("oracle.network.file"));
  const auto zero_shot = make<Oracle>("network", "network: {file: a.onnx}, zero_shot: {}");
  EXPECT_THAT(zero_shot->missing(), HasSubstr("oracle.zero_shot.embeddings"));
  const auto texts =
      make<Oracle>("network", "network: {file: a.onnx}, zero_shot: {embeddings: t.npy}");
  EXPECT_EQ(texts->missing(), "");
  EXPECT_THAT(texts->line(), AllOf(HasSubstr("a.onnx"), HasSubstr("t.npy"), HasSubstr("0.01")));
}

}  // namespace
}  // namespace distal
