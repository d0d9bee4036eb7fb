// Pre-training for an experiment, on small generated videos: what it depends on, what it leaves alone, what it refuses.

#include "distal/experiment/pretraining.h"

#include <fstream>

#include <ATen/ATen.h>

#include "distal/experiment/learning.h"
#include "distal/experiment/run.h"
#include "distal/experiment/testing.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PretrainingTest : public ::testing::Test {
 protected:
  PretrainingTest() {
    clips_ = small_clips(folder_, 8, 12);
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(loss_, "{name: black_box}", "test");
    read_options(learner_, kLearner, "test");
  }

  Model fresh(uint64_t seed = 1) const { return learner_.model.build(2, Random(seed)); }
  Model pretrained(const std::vector<Clip>& pool, const std::string& name, uint64_t seed = 1) {
    std::filesystem::create_directories(folder_ / name);
    const Model net = fresh();
    Pretraining(input_, {folder_ / "frames", 1}, pool, folder_ / name, quiet_).start(*net, learner_, 2, Random(seed));
    return net;
  }
  int files(const std::string& name) const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_ / name)) ++count;
    return count;
  }

  static constexpr const char* kLearner =
      "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4}, "
      "pretext: {tasks: [reverse, speed], speed: {strides: [1, 2]}, dim: 8, hidden: 8, training: {steps: 3, batch_size: 4, precision: f32}}}";
  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  Learner learner_;
  Choice<DistillLoss> loss_{"black_box"};
  Progress quiet_{Progress::Mode::quiet};
};

TEST_F(PretrainingTest, DependsOnClipsOptionsAndSeedAndIsFoundAgain) {
  const Model first = pretrained(clips_, "first");
  EXPECT_FALSE(same(*first, *fresh()));
  EXPECT_TRUE(same(*first, *pretrained(clips_, "again")));
  EXPECT_TRUE(same(*first, *pretrained(clips_, "first"))) << "found on disk";
  EXPECT_EQ(files("first"), 1) << "no checkpoint is left";
  EXPECT_FALSE(same(*first, *pretrained({clips_.begin(), clips_.begin() + 6}, "first")));
  EXPECT_FALSE(same(*first, *pretrained(clips_, "first", 2)));
  learner_.pretext->mode = "contrast";
  EXPECT_FALSE(same(*first, *pretrained(clips_, "first")));
  EXPECT_EQ(files("first"), 4);
}

TEST_F(PretrainingTest, LooksAtNoLabelAndLeavesTheClassifierAlone) {
  const Model labelled = pretrained(clips_, "labelled");
  EXPECT_TRUE(same(*labelled, *fresh(), "fc."));
  for (Clip& clip : clips_) clip.label = -1;
  EXPECT_TRUE(same(*labelled, *pretrained(clips_, "unlabelled")));
}

TEST_F(PretrainingTest, TrainsABackboneThatIsFrozenLater) {
  const Model trained = pretrained(clips_, "free");
  learner_.model.freeze = {"backbone"};
  const Model frozen = pretrained(clips_, "frozen");
  EXPECT_TRUE(same(*trained, *frozen));
  for (const auto& row : frozen->named_parameters()) EXPECT_EQ(row.value().requires_grad(), row.key().starts_with("fc.")) << row.key();
}

TEST_F(PretrainingTest, IsWhereFineTuningStarts) {
  ClipReader reader(input_, {folder_ / "frames", 1});
  const auto train = [&](const std::string& name, bool pretext) {
    Learning learning(reader, {{"left", "right"}}, [&] { return clips_; }, folder_ / name, quiet_);
    learning.pretrain_on([&] { return clips_; }, {folder_ / "frames", 1});
    Learner learner = learner_;
    if (!pretext) learner.pretext.reset();
    return learning.train(learner, loss_, {{clips_[0], {1, 0}}, {clips_[1], {0, 1}}}, Random(1), "test");
  };
  const Model with = train("with", true);
  EXPECT_TRUE(same(*with, *train("again", true)));
  EXPECT_FALSE(same(*with, *train("without", false)));
  EXPECT_EQ(files("with"), 2) << "the pre-trained weights and the trained ones";
}

TEST_F(PretrainingTest, AProbeIsFittedOnItsFeatures) {
  ClipReader reader(input_, {folder_ / "frames", 1});
  learner_.model.freeze = {"backbone"};
  learner_.probe = true;
  std::vector<Sample> samples;
  for (const Clip& clip : clips_) samples.push_back({clip, clip.label == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
  const auto logits = [&](const std::string& name) {
    Learning learning(reader, {{"left", "right"}}, [&] { return clips_; }, folder_ / name, quiet_);
    learning.pretrain_on([&] { return clips_; }, {folder_ / "frames", 1});
    const Model net = learning.train(learner_, loss_, samples, Random(1), "test");
    return learning.predict(*net, learner_, clips_).logits;
  };
  const torch::Tensor first = logits("first");
  EXPECT_TRUE(first.equal(logits("again")));
  const double loss = at::cross_entropy_loss(first, torch::arange(8, torch::kInt64).remainder(2)).item<double>();
  EXPECT_LT(loss, std::log(2.)) << "whatever the features are worth, the optimum is no worse than knowing nothing";
}

TEST_F(PretrainingTest, RefusesAPoolOfClipsTooShortForItsViews) {
  learner_.pretext.reset();
  read_options(learner_, "{pretext: {tasks: [speed]}}", "test");  // strides to 8: 25 frames
  EXPECT_THAT(error_of([&] { pretrained(clips_, "short"); }), HasSubstr("no clip of the pool has the 25 frames of a view"));
}

TEST_F(PretrainingTest, StandsAloneOnAPoolWithoutLabels) {
  const auto list = [&](const std::string& name, int first, int end, bool labelled) {
    std::ofstream file(folder_ / name);
    file << (labelled ? "path,label\n" : "path\n");
    for (int i = first; i < end; ++i) file << i << ".mp4" << (labelled ? "," + motions()[i % 2] : "") << "\n";
  };
  list("pool.csv", 0, 4, false);
  list("start.csv", 4, 6, true);
  list("test.csv", 6, 8, true);
  Recipe recipe;
  const std::string common = fmt::format("{{data: {{root: {}, pool: {{csv: pool.csv}}}}, input: {{size_px: 32, sampling: {{frames: 4}}}}, "
                                         "cache: {{folder: {}}}, student: {}}}", folder_.path(), folder_ / "frames", kLearner);
  read_options(recipe, common, "test");
  EXPECT_TRUE(pretrains_only(recipe));
  EXPECT_THAT(pretraining_plan(recipe), HasSubstr("3 steps of 4 clips"));
  const Pretrained alone = pretrain(recipe, folder_ / "alone", quiet_);
  EXPECT_EQ(alone.clips, 4);
  EXPECT_FALSE(alone.probe.has_value());
  recipe.data.start = ListOptions{"start.csv", ""};
  recipe.data.test = ListOptions{"test.csv", ""};
  const Pretrained measured = pretrain(recipe, folder_ / "measured", quiet_);
  ASSERT_TRUE(measured.probe.has_value());
  EXPECT_EQ(measured.learned_from, 2);
  EXPECT_EQ(measured.tested_on, 2);
  EXPECT_THAT(measured.text(), HasSubstr("linear probe"));
  EXPECT_EQ(load_model(measured.model).classes.size(), 2U);
  EXPECT_THAT(load_model(alone.model).classes, ::testing::ElementsAre("none"));
  recipe.data.pool.csv = "start.csv";
  EXPECT_FALSE(pretrains_only(recipe)) << "labels are there to be learned";
}

TEST(PretextRecipe, IsReadWhereALearnerIs) {
  const std::string lists = "{data: {pool: {csv: pool.csv}, test: {csv: test.csv}}, rounds: 0, ";
  const auto read = [&](const std::string& rest) {
    try {
      read_experiment(Document::text(lists + rest, "recipe"), "recipe");
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(read("student: {pretext: {contrast: byol, tasks: [rotation]}}}"), IsEmpty());
  EXPECT_THAT(read("student: {pretext: {mode: both}}, arms: {a: {}, b: {student: {pretext: {mode: augment}}}, c: {student: {pretext: ~}}}}"), IsEmpty());
  EXPECT_THAT(read("student: {pretext: {tasks: [shuffle]}}, input: {sampling: {frames: 2}}}"), HasSubstr("cannot be cut into 4 chunks"));
  EXPECT_THAT(read("student: {probe: true}}"), HasSubstr("model.freeze: [backbone]"));
  EXPECT_THAT(read("student: {pretext: {contrast: mocko}}}"), HasSubstr("did you mean moco?"));
}

}  // namespace
}  // namespace distal
