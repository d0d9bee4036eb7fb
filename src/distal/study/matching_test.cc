// A teacher that looks at the student's own view: what a recipe may ask for, and what is learned
// then.

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"
#include "distal/learn/network_trainer.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

TEST(Matching, WantsATeacherWhoseNetworkIsAtHand) {
  EXPECT_EQ(refusal("oracle: {kind: model, path: m.safetensors}\nloss: rkd\nmatching: true"), "");
  EXPECT_EQ(refusal("oracle: {kind: teacher}\nteacher: {train: {csv: u.csv}, model: {name: "
                    "resnet3d}}\nloss: kd\nmatching: true"),
            "");
  for (const std::string kind : {"truth", "torchscript", "http"})
    EXPECT_THAT(refusal("oracle: {kind: " + kind + "}\nloss: kd\nmatching: true"),
                HasSubstr("oracle.kind = " + kind + " gives none; take kind teacher or model"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}\nloss: rkd"),
              HasSubstr("loss rkd looks into the teacher's network, which cached answers do not "
                        "show; set matching: true"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}\nloss: {name: sum, of: [kd, at]}"),
              HasSubstr("loss sum looks into the teacher's network"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}\nloss: kd\nmatching: true\nstudent: {model: "
                      "{name: resnet3d, freeze: [backbone]}}"),
              HasSubstr("leave matching or student.model.freeze out"));
}

TEST(Matching, MayDifferFromArmToArm) {
  EXPECT_EQ(
      refusal(
          "oracle: {kind: model, path: m}\nrounds: 1\narms: {cached: {loss: kd}, matching: {loss: "
          "kd, matching: true},\n"
          "  features: {loss: {name: sum, of: [kd, rkd], rkd: {warmup: 0.2}}, matching: true}}"),
      "");
}

class MatchingTest : public ::testing::Test {
 protected:
  MatchingTest() {
    for (const Clip& clip : small_clips(folder_, 8)) samples_.push_back({clip, truth_of(clip)});
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(learner_,
                 "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: "
                 "4, precision: f32, max_gradient_norm: 5}}",
                 "test");
  }

  Model train(const std::string& loss, const std::vector<Sample>& samples, const Model& teacher,
              const std::string& folder) {
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    ClipReader reader(input_, {folder_ / "frames", 1});
    std::vector<Clip> clips;
    for (const Sample& sample : samples) clips.push_back(sample.clip);
    NetworkTrainer learning(
        reader, {{"left", "right"}}, [&] { return clips; }, folder_ / folder, progress);
    Choice<DistillLoss> choice;
    read_options(choice, loss, "test");
    return learning.train(learner_, choice, samples, Random(1), "test", teacher);
  }
  Model teacher(uint64_t seed) const {
    Learner learner = learner_;
    const Model net = learner.model.build(2, Random(seed));
    net->eval();
    return net;
  }
  std::vector<Sample> taught() const {
    auto taught = samples_;
    for (Sample& sample : taught) sample.teacher = {0.25f, 0.75f};
    return taught;
  }

  TemporaryFolder folder_;
  std::vector<Sample> samples_;
  InputOptions input_;
  Learner learner_;
};

TEST_F(MatchingTest, WhatIsLearnedDependsOnTheNetworkInsteadOfTheCachedNumbers) {
  const Model cached = train("{name: kd}", taught(), nullptr, "a");
  const Model first = train("{name: kd}", taught(), teacher(7), "a");
  EXPECT_FALSE(same(*cached, *first));
  EXPECT_FALSE(same(*first, *train("{name: kd}", taught(), teacher(8), "a")));
  EXPECT_TRUE(same(*first, *train("{name: kd}", taught(), teacher(7), "b")));
  EXPECT_TRUE(same(*first, *train("{name: kd}", taught(), teacher(7), "a")))
      << "found again on disk";
}

TEST_F(MatchingTest, LossesOfFeaturesTrainOnClipsEndToEnd) {
  const std::string loss = "{name: sum, of: [kd, hint, at, sp, rkd, crd], hint: {map: layer1}, at: "
                           "{maps: [layer1, layer2]}, crd: {size: 8, warmup: 0.5}}";
  const Model net = train(loss, taught(), teacher(7), "a");
  for (const auto& parameter : net->parameters())
    EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>());
  EXPECT_FALSE(same(*net, *train("{name: kd}", taught(), teacher(7), "a")));
}

TEST_F(MatchingTest, WhereNobodyAnsweredTheNetworkIsNotAsked) {
  EXPECT_TRUE(same(*train("{name: kd}", samples_, nullptr, "a"),
                   *train("{name: kd}", samples_, teacher(7), "b")));
}

TEST_F(MatchingTest, ATeacherFreeLossLearnsFromLabelsAlone) {
  const Model plain = train("{name: black_box}", samples_, nullptr, "a");
  EXPECT_TRUE(same(*plain, *train("{name: kd}", samples_, nullptr, "b")))
      << "a loss of answers has nothing to say";
  EXPECT_FALSE(same(*plain, *train("{name: label_smoothing}", samples_, nullptr, "a")));
  EXPECT_FALSE(same(*plain, *train("{name: tf_kd}", samples_, nullptr, "a")));
}

}  // namespace
}  // namespace distal
