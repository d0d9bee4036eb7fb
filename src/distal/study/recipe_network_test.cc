// Recipes whose student, or teacher, is a network of others.

#include "distal/models/network_testing.h"
#include "distal/models/opened_network.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RecipeWithNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    SmallNetwork(1).write(folder_ / "a.onnx", 24);
    SmallNetwork(2).write(folder_ / "b.onnx", 40);
    const std::string missing = error_of([&] {
      NetworkOptions options;
      options.file = folder_ / "a.onnx";
      opened_network(options);
    });
    if (missing.find("built without OpenVINO") != std::string::npos) GTEST_SKIP() << missing;
  }
  std::string model(const std::string& file, const std::string& more = "head: linear") const {
    return fmt::format("{{model: {{name: network, network: {{file: {}/{}}}, {}}}}}", folder_.path(),
                       file, more);
  }
  const TemporaryFolder folder_;
};

TEST_F(RecipeWithNetwork, TakesTheInputOfTheNetworkWhereItSaysNone) {
  const Study study = study_of("student: " + model("a.onnx"));
  EXPECT_EQ(study.shared.input.size_px, 24);
  EXPECT_EQ(study.shared.input.sampling.frames, InputOptions().sampling.frames)
      << "a network of single frames takes any number";
  EXPECT_THAT(study.resolved, HasSubstr("size_px: 24")) << "who continues the run reads it";
  EXPECT_EQ(study_of("input: {sampling: {frames: 3}}\nstudent: " + model("a.onnx"))
                .shared.input.sampling.frames,
            3);
}

TEST_F(RecipeWithNetwork, RefusesAnotherInputAndNamesBoth) {
  EXPECT_THAT(refusal("input: {size_px: 64}\nstudent: " + model("a.onnx")),
              AllOf(HasSubstr("input.size_px = 64"), HasSubstr("takes 24; set 24, or leave")));
  EXPECT_EQ(refusal("input: {size_px: 24}\nstudent: " + model("a.onnx")), "");
  EXPECT_THAT(
      refusal("arms: {a: {student: " + model("a.onnx") + "}, b: {student: " + model("b.onnx") +
              "}}"),
      AllOf(HasSubstr("takes 24 px"), HasSubstr("takes 40 px"), HasSubstr("write two recipes")));
}

TEST_F(RecipeWithNetwork, GivesATeacherAnInputOfItsOwn) {
  const Study study =
      study_of("input: {size_px: 32, sampling: {frames: 3}}\noracle: {kind: teacher}\n"
               "teacher: {train: {csv: t.csv}, " +
               model("b.onnx").substr(1, model("b.onnx").size() - 2) +
               "}\nstudent: {model: {name: resnet3d, depth: 10}}");
  EXPECT_EQ(study.shared.input.size_px, 32);
  EXPECT_EQ(study.shared.teacher_input().size_px, 40);
  EXPECT_EQ(study.shared.teacher_input().sampling.frames, 3) << "the rest is the study's";
}

TEST_F(RecipeWithNetwork, RefusesWhatWouldTrainTheBackbone) {
  const auto refused = [&](const std::string& more, const std::string& student = "") {
    return refusal("student: " + model("a.onnx").substr(0, model("a.onnx").size() - 1) + student +
                   "}\n" + more);
  };
  EXPECT_EQ(refused(""), "");
  EXPECT_THAT(refused("", ", pretext: {}"), HasSubstr("pretext trains a backbone"));
  EXPECT_THAT(refused("", ", augment: {flip: 0.5}"),
              AllOf(HasSubstr("frozen backbone"), HasSubstr("model.name = network")));
  EXPECT_THAT(refused("answers_per_clip: 2\noracle: {kind: http, url: 'http://h/v2/models/m'}"),
              HasSubstr("frozen backbone"));
  EXPECT_THAT(refusal("strategy: boundary\nstudent: " + model("a.onnx", "head: mlp")),
              HasSubstr("set student.model.head: linear"));
  EXPECT_THAT(
      refusal("student: " +
              model("a.onnx", "head: probe").substr(0, model("a.onnx", "head: probe").size() - 1) +
              ", training: {steps: 9}}"),
      HasSubstr("no effect on a probe"));
  EXPECT_THAT(refusal("student: " + model("nowhere.onnx")),
              AllOf(HasSubstr("student.model.network"), HasSubstr("nowhere.onnx")));
}

TEST_F(RecipeWithNetwork, HasTheKeyOfItsContentAndNotOfItsPlace) {
  const auto decisive = [&](const std::string& file) {
    const Study study = study_of("student: " + model(file));
    return decisive_options(study.shared, study.arms[0].options);
  };
  const std::string before = decisive("a.onnx");
  std::filesystem::copy(folder_ / "a.onnx", folder_ / "c.onnx");
  EXPECT_EQ(decisive("c.onnx"), before);
  SmallNetwork(3).write(folder_ / "c.onnx", 24);
  EXPECT_NE(decisive("c.onnx"), before);
}

TEST_F(RecipeWithNetwork, LooksForTheFileInTheFolderOfWeights) {
  const std::string recipe =
      fmt::format("weights: {}\nstudent: {{model: {{name: network, network: {{file: a.onnx}}}}}}",
                  folder_.path());
  EXPECT_EQ(study_of(recipe).arms[0].options.student.model.network()->file, folder_ / "a.onnx");
}

}  // namespace
}  // namespace distal
