// Training, pre-training and predictions with a recipe's device that the CPU cannot read.

#include "distal/models/device.h"
#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/learn/network_trainer.h"
#include "distal/learn/testing.h"
#include "support/fake_device.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

class TrainerOnDevice : public ::testing::Test {
 protected:
  TrainerOnDevice() {
    clips_ = small_clips(folder_, 8, 12);
    input_.size_px = 32;
    input_.sampling.frames = 4;
    for (const Clip& clip : clips_) samples_.push_back({clip, truth_of(clip)});
  }

  struct Trained {
    Predictions predictions;
    torch::Tensor augmented;  // logits
    torch::Device device = torch::kCPU;
  };

  Trained train(const std::string& learner_yaml, const std::string& device) {
    Learner learner;
    read_options(learner, learner_yaml, "test");
    learner.training.device = device;
    if (learner.pretext) learner.pretext->training.device = device;
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    ClipReader reader(input_, {folder_ / "frames", 1});
    const auto all = [&] { return clips_; };
    NetworkTrainer trainer(reader, {{"left", "right"}}, all,
                           folder_ / fmt::format("kept {} {}", device, ++runs_), quiet);
    trainer.pretrain_on(all, {folder_ / "frames", 1});
    const Model net = trainer.train(learner, {}, samples_, Random(1), "test");
    Trained trained{trainer.predict(*net, learner, clips_), {}, device_of(*net)};
    trained.augmented = trainer.score_augmented(*net, learner, refs_of(samples_), Random(2)).logits;
    const Pixels pixels = trainer.pixels(clips_);
    EXPECT_TRUE(trainer.probabilities(*net, pixels.values).is_cpu());
    return trained;
  }

  void expect_alike(const std::string& learner) {
    const Trained here = train(learner, "cpu");
    const Trained there = train(learner, "hpu:0");
    EXPECT_EQ(there.device, fake_device());
    for (const auto& [a, b] : {std::pair(here.predictions.logits, there.predictions.logits),
                               std::pair(here.predictions.embeddings, there.predictions.embeddings),
                               std::pair(here.augmented, there.augmented)}) {
      ASSERT_TRUE(b.is_cpu());
      EXPECT_TRUE(torch::allclose(a, b, 1e-2, 1e-3));
    }
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  std::vector<Sample> samples_;
  InputOptions input_;
  int runs_ = 0;
};

TEST_F(TrainerOnDevice, TrainsAndPredictsAsOnTheCpu) {
  expect_alike("{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4, "
               "precision: f32}}");
}

TEST_F(TrainerOnDevice, TrainsAHeadOnFrozenFeaturesAsOnTheCpu) {
  expect_alike(
      "{model: {name: resnet3d, depth: 10, width: 4, freeze: [backbone]}, training: {steps: 6, "
      "batch_size: 4, precision: f32}}");
}

TEST_F(TrainerOnDevice, FitsAProbeOfFrozenFeaturesAsOnTheCpu) {
  expect_alike("{model: {name: resnet3d, depth: 10, width: 4, freeze: [backbone]}, probe: true}");
}

TEST_F(TrainerOnDevice, PreTrainsAsOnTheCpu) {
  expect_alike(
      "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: 4, "
      "learning_rate: 0.002, precision: f32}, "
      "pretext: {mode: tasks, tasks: [reverse, speed], speed: {strides: [1, 2]}, training: {steps: "
      "2, batch_size: 4, learning_rate: 0.005, precision: f32}}}");  // larger steps make rounding
                                                                     // large
}

TEST_F(TrainerOnDevice, RefusesADeviceThatIsNotThere) {
  EXPECT_THAT(
      error_of([&] { train("{model: {name: resnet3d, depth: 10, width: 4}}", "hpu:3"); }),
      HasSubstr(
          "training.device: hpu:3 is not there, the last hpu device of this machine is hpu:0"));
}

}  // namespace
}  // namespace distal
