// Evaluation batches under augmentation; those without are tested with the training batches.

#include "distal/base/random.h"
#include "distal/data/augment.h"
#include "distal/data/batches.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

class AugmentedEvaluation : public ::testing::Test {
 protected:
  AugmentedEvaluation() {
    SyntheticOptions video;
    video.frames = 8;
    for (int i = 0; i < 5; ++i) {
      const std::string path = folder_ / fmt::format("{}.mp4", i);
      write_motion(path, motions()[i % motions().size()], i, video);
      clips_.push_back({path});
    }
    input_.size_px = 32;
    input_.sampling.frames = 4;
    augment_.brightness = 0.5;
  }

  torch::Tensor all(std::vector<Clip> clips, int64_t batch_size, int64_t threads,
                    const std::optional<AugmentOptions>& augment, uint64_t seed) {
    ClipReader reader(input_, {folder_ / "cache", 1});
    EvaluationBatches batches(reader, std::move(clips), 2, batch_size, threads, augment,
                              Random(seed));
    std::vector<torch::Tensor> parts;
    while (const auto batch = batches.next()) parts.push_back(batch->clips);
    return torch::cat(parts);
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  AugmentOptions augment_;
};

TEST_F(AugmentedEvaluation, EachClipsDrawDependsOnTheSeedAndItsRowAlone) {
  const auto whole = all(clips_, 5, 0, augment_, 1);
  EXPECT_TRUE(whole.equal(all(clips_, 2, 2, augment_, 1)));
  EXPECT_FALSE(whole.equal(all(clips_, 5, 0, augment_, 2)));
  EXPECT_TRUE(
      whole.slice(0, 0, 3).equal(all({clips_[0], clips_[1], clips_[2]}, 3, 0, augment_, 1)));
}

TEST_F(AugmentedEvaluation, OneClipTwiceIsCutInTwoWays) {
  const auto twice = all({clips_[0], clips_[0]}, 2, 0, augment_, 1);
  EXPECT_FALSE(twice[0].equal(twice[1]));
  const auto plain = all({clips_[0], clips_[0]}, 2, 0, std::nullopt, 1);
  EXPECT_TRUE(plain[0].equal(plain[1]));
}

TEST_F(AugmentedEvaluation, AnAugmentationThatDrawsNothingIsTheCentre) {
  AugmentOptions nothing;
  nothing.scales.clear();
  EXPECT_TRUE(all(clips_, 5, 0, nothing, 1).equal(all(clips_, 5, 0, std::nullopt, 1)));
}

TEST_F(AugmentedEvaluation, FlipsThatChangeLabelsAreNotForIt) {
  augment_.flip = 0.5;
  augment_.flip_labels = {"left:right"};
  EXPECT_THROW(all(clips_, 5, 0, augment_, 1), std::logic_error);
}

}  // namespace
}  // namespace distal
