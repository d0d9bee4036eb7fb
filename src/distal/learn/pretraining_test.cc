// Pre-training, on small generated videos: what it depends on, what it leaves alone, what it
// refuses.

#include "distal/learn/pretraining.h"

#include <ATen/ATen.h>

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"
#include "distal/learn/network_trainer.h"
#include "distal/learn/testing.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

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
    Pretraining(input_, {folder_ / "frames", 1}, pool, folder_ / name, quiet_)
        .start(*net, learner_, 2, Random(seed));
    return net;
  }
  int files(const std::string& name) const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_ / name))
      ++count;
    return count;
  }

  static constexpr const char* kLearner =
      "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4}, "
      "pretext: {tasks: [reverse, speed], speed: {strides: [1, 2]}, dim: 8, hidden: 8, training: "
      "{steps: 3, batch_size: 4, precision: f32}}}";
  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  Learner learner_;
  Choice<DistillLoss> loss_{"black_box"};
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
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
  for (const auto& row : frozen->named_parameters())
    EXPECT_EQ(row.value().requires_grad(), row.key().starts_with("fc.")) << row.key();
}

TEST_F(PretrainingTest, IsWhereFineTuningStarts) {
  ClipReader reader(input_, {folder_ / "frames", 1});
  const auto train = [&](const std::string& name, bool pretext) {
    NetworkTrainer learning(
        reader, {{"left", "right"}}, [&] { return clips_; }, folder_ / name, quiet_);
    learning.pretrain_on([&] { return clips_; }, {folder_ / "frames", 1});
    Learner learner = learner_;
    if (!pretext) learner.pretext.reset();
    return learning.train(learner, loss_, {{clips_[0], {1, 0}}, {clips_[1], {0, 1}}}, Random(1),
                          "test");
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
  for (const Clip& clip : clips_)
    samples.push_back(
        {clip, clip.label == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
  const auto logits = [&](const std::string& name) {
    NetworkTrainer learning(
        reader, {{"left", "right"}}, [&] { return clips_; }, folder_ / name, quiet_);
    learning.pretrain_on([&] { return clips_; }, {folder_ / "frames", 1});
    const Model net = learning.train(learner_, loss_, samples, Random(1), "test");
    return learning.predict(*net, learner_, clips_).logits;
  };
  const torch::Tensor first = logits("first");
  EXPECT_TRUE(first.equal(logits("again")));
  const double loss =
      at::cross_entropy_loss(first, torch::arange(8, torch::kInt64).remainder(2)).item<double>();
  EXPECT_LT(loss, std::log(2.))
      << "whatever the features are worth, the optimum is no worse than knowing nothing";
}

TEST_F(PretrainingTest, RefusesAPoolOfClipsTooShortForItsViews) {
  learner_.pretext.reset();
  read_options(learner_, "{pretext: {tasks: [speed]}}", "test");  // strides to 8: 25 frames
  EXPECT_THAT(error_of([&] { pretrained(clips_, "short"); }),
              HasSubstr("no clip of the pool has the 25 frames of a view"));
}

}  // namespace
}  // namespace distal
