// Teachers that need no network: a model of ours and a TorchScript file.

#include <filesystem>

#include <gmock/gmock.h>
#include <torch/nn/modules/linear.h>
#include <torch/script.h>

#include "distal/base/document.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/oracles/teacher.h"
#include "distal/oracles/torchscript_teacher.h"
#include "distal/tasks/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The mean colour of a clip, through one linear layer; doubled in training mode, as dropout would
/// change it.
class TinyNet final : public Net {
 public:
  explicit TinyNet(int64_t classes)
      : head_(register_module("head", torch::nn::Linear(3, classes))) {}
  Output forward(const torch::Tensor& clips) override {
    const auto embedding = clips.mean({2, 3, 4}) * (is_training() ? 2 : 1);
    return {head(embedding), embedding};
  }
  torch::Tensor head(const torch::Tensor& embedding) override { return head_->forward(embedding); }
  int64_t embedding_size() const override { return 3; }

 private:
  torch::nn::Linear head_;
};

TEST(ModelTeacher, AnswersInEvaluationModeWithoutGradients) {
  const auto net = std::make_shared<TinyNet>(4);
  net->train();
  const auto teacher = teacher_of(net, "weights:1", 4);
  const auto clips = torch::rand({2, 3, 4, 5, 5});
  const auto p = teacher->answer(clips, "a");
  EXPECT_FALSE(p.requires_grad());
  EXPECT_FALSE(net->is_training());
  EXPECT_TRUE(torch::allclose(p, net->forward(clips).logits.softmax(1)));
  EXPECT_EQ(p.scalar_type(), torch::kFloat32);
  EXPECT_EQ(teacher->version(), "weights:1");
}

TEST(ModelTeacher, AnswersAClipTheSameInAnyCompany) {
  const auto teacher =
      teacher_of(make<Backbone>("resnet3d", "depth: 10, width: 4")->build(4, Random(1)), "1", 4);
  const auto clips = torch::rand({7, 3, 4, 16, 16});
  const auto together = teacher->answer(clips, "a");
  for (int64_t i = 0; i < 7; ++i)
    EXPECT_TRUE(torch::equal(together[i], teacher->answer(clips.narrow(0, i, 1), "b")[0])) << i;
  EXPECT_TRUE(torch::equal(together.narrow(0, 2, 4), teacher->answer(clips.narrow(0, 2, 4), "c")));
}

TEST(ModelTeacher, RefusesAnotherNumberOfClasses) {
  const auto teacher = teacher_of(std::make_shared<TinyNet>(4), "1", 7);
  EXPECT_THAT(error_of([&] {
                teacher->answer(torch::rand({2, 3, 1, 2, 2}), "a");
              }),
              HasSubstr("shape 2x4 instead of [2, 7]"));
}

TEST(CheckedAnswer, NormalisesWhatIsNearlyProbabilities) {
  const auto p =
      checked_answer(torch::tensor({0.5005, 0.5, -1e-4, 1.0}).view({2, 2}), false, 2, 2, "t");
  EXPECT_TRUE(torch::allclose(p.sum(1), torch::ones({2})));
  EXPECT_EQ(p[1][0].item<float>(), 0);
}

TEST(CheckedAnswer, AsksTheTaskWhatIsValid) {
  const HalfSure task;
  const auto answer = torch::tensor({0.5, 0.5, 1.0, 0.0}).view({2, 2});
  EXPECT_THAT(error_of([&] {
                checked_answer(answer, false, 2, {2, task}, "t");
              }),
              HasSubstr("t: clip 1 of the batch: nobody is so sure; if these are logits"));
  EXPECT_TRUE(torch::equal(checked_answer(answer, true, 2, {2, task}, "t"),
                           checked_answer(answer / 2, true, 2, 2, "t")));
}

TEST(CheckedAnswer, RefusesWhatIsNot) {
  const auto say = [](std::vector<float> row, bool logits) {
    return error_of([&] { checked_answer(torch::tensor(row).view({1, 2}), logits, 1, 2, "t"); });
  };
  EXPECT_THAT(say({0.5f, 0.51f}, false), HasSubstr("do not sum to 1"));
  EXPECT_THAT(say({3.0f, -2.0f}, false), HasSubstr("oracle.logits: true"));
  EXPECT_EQ(say({3.0f, -2.0f}, true), "");
}

TEST(CheckedAnswer, MarksRowsThatAreNotFinite) {
  const auto raw =
      torch::tensor({0.25, 0.75, double{NAN}, 1.0, double{INFINITY}, 0.0}).view({3, 2});
  for (const bool logits : {false, true}) {
    const auto p = checked_answer(raw, logits, 3, 2, "t");
    EXPECT_TRUE(torch::isnan(p).all(1).equal(torch::tensor({false, true, true})));
    EXPECT_NEAR(p[0].sum().item<double>(), 1, 1e-6);
  }
  EXPECT_THAT(
      error_of([] {
        checked_answer(torch::tensor({double{NAN}, 1.0, 3.0, -2.0}).view({2, 2}), false, 2, 2, "t");
      }),
      HasSubstr("clip 1 of the batch"));
}

std::string scripted(const TemporaryFolder& folder, const std::string& name,
                     const std::string& body) {
  torch::jit::Module module("teacher");
  module.define("def forward(self, x):\n    " + body + "\n");
  module.save(folder / name);
  return folder / name;
}

TEST(TorchscriptTeacher, AnswersFromAFile) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.path = scripted(folder, "t.pt", "return x.mean([2, 3, 4])");
  options.logits = true;
  const auto teacher = torchscript_teacher(options, 3);
  const auto clips = torch::rand({5, 3, 2, 4, 4});
  EXPECT_TRUE(torch::allclose(teacher->answer(clips, "a"), clips.mean({2, 3, 4}).softmax(1)));
  EXPECT_EQ(teacher->version(), torchscript_teacher(options, 3)->version());
  options.path = scripted(folder, "u.pt", "return x.mean([2, 3, 4]) * 2");
  EXPECT_NE(teacher->version(), torchscript_teacher(options, 3)->version());
}

TEST(TorchscriptTeacher, AnswersToTheBitWhatTheFileComputesInThisProcess) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.path = scripted(
      folder, "t.pt", "return torch.softmax(torch.sin(x.flatten(2).cumsum(2)).mean(2) * 7.0, 1)");
  const auto clips = torch::rand({3, 3, 4, 8, 8});
  auto module = torch::jit::load(options.path);
  std::vector<torch::Tensor> here;
  for (const auto& clip : clips.split(1)) here.push_back(module.forward({clip}).toTensor());
  EXPECT_TRUE(torch::equal(torchscript_teacher(options, 3)->answer(clips, "a"),
                           checked_answer(torch::cat(here), false, 3, 3, "t")));
}

TEST(TorchscriptTeacher, IsStoppedWhereItTakesTooLong) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.timeout_s = 0.5;
  options.path = scripted(folder, "t.pt",
                          "i = 0\n    while bool(x.sum() > 1000):\n        i = i + 1\n    return "
                          "torch.softmax(x.mean([2, 3, 4]) + float(i), 1)");
  const auto teacher = torchscript_teacher(options, 3);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of([&] {
                teacher->answer(torch::ones({1, 3, 10, 20, 20}), "a");
              }),
              AllOf(HasSubstr("1 clips of shape 3x10x20x20"), HasSubstr("more than 0.5 s"),
                    HasSubstr("oracle.timeout_s")));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST(TorchscriptTeacher, StartsAnewAfterItsProcessEnded) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.logits = true;
  options.path = scripted(folder, "t.pt", "return x.view([1, 3])");
  const auto teacher = torchscript_teacher(options, 3);
  for (int time = 0; time < 2; ++time) {
    EXPECT_THAT(error_of([&] {
                  teacher->answer(torch::ones({1, 3, 2, 4, 4}), "a");
                }),
                HasSubstr("cannot take clips of shape 1x3x2x4x4"));
    EXPECT_EQ(teacher->answer(torch::zeros({2, 3, 1, 1, 1}), "a").size(0), 2);
  }
}

TEST(TorchscriptTeacher, SaysWhatTheFilePrintsOnOneLine) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.path = scripted(folder, "t.pt",
                          "print('\\033[31mred')\n    return torch.softmax(x.mean([2, 3, 4]), 1)");
  std::vector<std::string> said;
  torchscript_teacher(options, 3, [&](const std::string& line) {
    said.push_back(line);
  })->answer(torch::rand({2, 3, 2, 4, 4}), "a");
  EXPECT_THAT(
      said, ::testing::ElementsAre(AllOf(HasSubstr(options.path), HasSubstr("prints '.[31mred"))));
}

TEST(TorchscriptTeacher, NamesRowAndValueOfWhatIsNoNumber) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.path = scripted(folder, "t.pt", "return torch.log(x.mean([2, 3, 4]))");
  const auto teacher = torchscript_teacher(options, 3);
  auto clips = torch::ones({2, 3, 2, 4, 4});
  clips[1] = -1;
  options.logits = true;
  const auto logits = torchscript_teacher(options, 3);
  EXPECT_TRUE(torch::isnan(logits->answer(clips, "a")[1]).all().item<bool>());
  EXPECT_THAT(logits->remark(),
              AllOf(HasSubstr("clip 1 of the batch: value 0 is "), HasSubstr("nan")));
  EXPECT_THAT(error_of([&] {
                teacher->answer(torch::ones({2, 3, 2, 4, 4}), "a");
              }),
              AllOf(HasSubstr("clip 0 of the batch"), HasSubstr("do not sum to 1 but to 0")));
}

TEST(TorchscriptTeacher, RefusalsNameTheFileAndTheCure) {
  const TemporaryFolder folder;
  TorchscriptOptions options;
  options.path = folder / "none.pt";
  EXPECT_THAT(error_of([&] { torchscript_teacher(options, 3); }),
              HasSubstr("cannot be read; give the path"));
  options.path = folder.write("text.pt", "not a model");
  EXPECT_THAT(error_of([&] { torchscript_teacher(options, 3); }),
              HasSubstr("not a TorchScript file"));
  for (const std::string& bad : {std::string("/dev/zero"), folder / ""}) {
    options.path = bad;
    EXPECT_THAT(error_of([&] { torchscript_teacher(options, 3); }),
                HasSubstr("cannot be read: a folder, device or pipe"))
        << bad;
  }
  options.path = scripted(folder, "whole.pt", "return x");
  std::filesystem::resize_file(options.path, std::filesystem::file_size(options.path) / 2);
  EXPECT_THAT(
      error_of([&] { torchscript_teacher(options, 3); }),
      AllOf(HasSubstr(options.path), HasSubstr("cannot be loaded: it is damaged, cut off")));
  options.path = scripted(folder, "large.pt", "return torch.zeros([1, 3000000]) + x.mean()");
  EXPECT_THAT(error_of([&] {
                torchscript_teacher(options, 3)->answer(torch::rand({1, 3, 2, 4, 4}), "a");
              }),
              HasSubstr("far more numbers than classes"));
  options.path =
      scripted(folder, "memory.pt", "return torch.zeros([3000000000]).view([1, -1]) + x.mean()");
  EXPECT_THAT(error_of([&] {
                torchscript_teacher(options, 3)->answer(torch::rand({1, 3, 2, 4, 4}), "a");
              }),
              HasSubstr("more memory than it may have"));
  options.path = scripted(folder, "shape.pt", "return x.view([2, 3])");
  EXPECT_THAT(error_of([&] {
                torchscript_teacher(options, 3)->answer(torch::rand({5, 3, 2, 4, 4}), "a");
              }),
              HasSubstr("cannot take clips of shape 1x3x2x4x4"));
}

TEST(OracleOptions, AreReadFromARecipe) {
  OracleOptions options;
  read_options(options,
               "{kind: http, url: 'http://h:1/v2/models/m', price: 0.01, requests_per_s: 5, "
               "timeout_s: 2, retries: 1, batch_size: 3}",
               "r.yaml");
  EXPECT_EQ(options.kind.name, "http");
  EXPECT_EQ(options.price, 0.01);
  EXPECT_THAT(resolved(options), HasSubstr("retries: 1\n"));
  EXPECT_THAT(error_of([&] { read_options(options, "kind: htp", "r.yaml"); }),
              HasSubstr("did you mean http?"));
}

TEST(OracleOptions, AreThoseOfTheKindBesideThoseOfAll) {
  OracleOptions options;
  read_options(options, "{kind: model, path: a.safetensors, price: 2}", "r.yaml");
  EXPECT_EQ(resolved(options),
            "kind: model\nprice: 2\nbatch_size: 8\nask_again: false\npath: a.safetensors\n");
  OracleOptions again;
  read_options(again, resolved(options), "r.yaml");
  EXPECT_EQ(again.identity(), options.identity());
}

TEST(OracleOptions, OfAnotherKindAreRefusedWithWhatBelongsThere) {
  const auto read = [](const std::string& yaml) {
    return error_of([&] {
      OracleOptions options;
      read_options(options, yaml, "r.yaml");
    });
  };
  EXPECT_THAT(
      read("{kind: truth, url: 'http://h:1/v2/models/m'}"),
      AllOf(HasSubstr("r.yaml"), HasSubstr("oracle.url has no effect with oracle.kind = truth"),
            HasSubstr("belongs to http"), HasSubstr("oracle={kind: truth}")));
  EXPECT_THAT(read("{kind: http, url: x, path: a.pt}"), HasSubstr("belongs to model, torchscript"));
  EXPECT_THAT(read("{kind: torchscript, path: a.pt, retries: 3}"), HasSubstr("oracle.retries"));
  EXPECT_THAT(read("{kind: teacher, urk: x}"), HasSubstr("did you mean url?"));
  EXPECT_EQ(read("{kind: torchscript, path: a.pt, timeout_s: 3, logits: true}"), "");
}

// A recipe that was resolved by an earlier version, as stores and folders keep it, lists all of
// them.
TEST(OracleOptions, OfAnotherKindMayStandThereWithTheirDefaults) {
  OracleOptions options;
  const std::string earlier = "{kind: teacher, path: '', url: '', input: clips, output: "
                              "probabilities, logits: false, price: 2, "
                              "requests_per_s: 0, timeout_s: 30, retries: 4, backoff_s: 0.5, "
                              "batch_size: 8, ask_again: false, "
                              "token_env: ''}";
  EXPECT_EQ(error_of([&] { read_options(options, earlier, "r.yaml"); }), "");
  EXPECT_EQ(options.kind.name, "teacher");
  EXPECT_EQ(options.price, 2);
}

}  // namespace
}  // namespace distal
