// A teacher that looks at the student's own view: what a recipe may ask for, and what is learned then.

#include "data/testing.h"
#include "experiment/learning.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& yaml) {
  return error_of([&] {
    read_experiment(Document::text("{data: {pool: {csv: p.csv}, test: {csv: t.csv}}, " + yaml + "}", "r.yaml"), "r");
  });
}

TEST(Matching, WantsATeacherWhoseNetworkIsAtHand) {
  EXPECT_EQ(refusal("oracle: {kind: model, path: m.safetensors}, loss: rkd, matching: true"), "");
  EXPECT_EQ(refusal("oracle: {kind: teacher}, teacher: {train: {csv: u.csv}, model: {name: resnet3d}}, loss: kd, matching: true"), "");
  for (const std::string kind : {"truth", "torchscript", "http"})
    EXPECT_THAT(refusal("oracle: {kind: " + kind + "}, loss: kd, matching: true"), HasSubstr("oracle.kind = " + kind + " gives none; take kind teacher or model"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}, loss: rkd"), HasSubstr("loss rkd looks into the teacher's network, which cached answers do not show; set matching: true"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}, loss: {name: sum, of: [kd, at]}"), HasSubstr("loss sum looks into the teacher's network"));
  EXPECT_THAT(refusal("oracle: {kind: model, path: m}, loss: kd, matching: true, student: {model: {name: resnet3d, freeze: [backbone]}}"),
              HasSubstr("leave matching or student.model.freeze out"));
}

TEST(Matching, MayDifferFromArmToArm) {
  EXPECT_EQ(refusal("oracle: {kind: model, path: m}, rounds: 1, arms: {cached: {loss: kd}, matching: {loss: kd, matching: true},\n"
                    "  features: {loss: {name: sum, of: [kd, rkd], rkd: {warmup: 0.2}}, matching: true}}"), "");
}

class MatchingTest : public ::testing::Test {
 protected:
  MatchingTest() {
    SyntheticOptions video;
    video.frames = 8;
    video.width = video.height = 32;
    for (int i = 0; i < 8; ++i) {
      const std::string path = folder_ / fmt::format("{}.mp4", i);
      write_motion(path, motions()[i % 2], i, video);
      const VideoInfo info = probe(path);
      samples_.push_back({{path, info.id, 0, info.duration_s, info.id, i % 2}, i % 2 == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
    }
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(learner_, "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4, precision: f32, max_gradient_norm: 5}}", "test");
  }

  Model train(const std::string& loss, const std::vector<Sample>& samples, const Model& teacher, const std::string& folder) {
    Progress progress(Progress::Mode::quiet);
    ClipReader reader(input_, {folder_ / "frames", 1});
    std::vector<Clip> clips;
    for (const Sample& sample : samples) clips.push_back(sample.clip);
    Learning learning(reader, {{"left", "right"}}, clips, folder_ / folder, progress);
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
  static bool same(const Net& a, const Net& b) {
    const auto of_a = state(a), of_b = state(b);
    for (size_t i = 0; i < of_a.size(); ++i)
      if (!of_a[i].second.equal(of_b[i].second)) return false;
    return true;
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
  EXPECT_TRUE(same(*first, *train("{name: kd}", taught(), teacher(7), "a"))) << "found again on disk";
}

TEST_F(MatchingTest, LossesOfFeaturesTrainOnClipsEndToEnd) {
  const std::string loss = "{name: sum, of: [kd, hint, at, sp, rkd, crd], hint: {map: layer1}, at: {maps: [layer1, layer2]}, crd: {size: 8, warmup: 0.5}}";
  const Model net = train(loss, taught(), teacher(7), "a");
  for (const auto& parameter : net->parameters()) EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>());
  EXPECT_FALSE(same(*net, *train("{name: kd}", taught(), teacher(7), "a")));
}

TEST_F(MatchingTest, WhereNobodyAnsweredTheNetworkIsNotAsked) {
  EXPECT_TRUE(same(*train("{name: kd}", samples_, nullptr, "a"), *train("{name: kd}", samples_, teacher(7), "b")));
}

TEST_F(MatchingTest, ATeacherFreeLossLearnsFromLabelsAlone) {
  const Model plain = train("{name: black_box}", samples_, nullptr, "a");
  EXPECT_TRUE(same(*plain, *train("{name: kd}", samples_, nullptr, "b"))) << "a loss of answers has nothing to say";
  EXPECT_FALSE(same(*plain, *train("{name: label_smoothing}", samples_, nullptr, "a")));
  EXPECT_FALSE(same(*plain, *train("{name: tf_kd}", samples_, nullptr, "a")));
}

}  // namespace
}  // namespace distal
