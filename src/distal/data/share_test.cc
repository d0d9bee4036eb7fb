// Ranks that share a training: together they read what one reads alone.

#include "distal/base/document.h"
#include "distal/base/random.h"
#include "distal/data/augment.h"
#include "distal/data/batches.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

TEST(Share, TogetherTheRanksReadEachRowOnce) {
  constexpr int64_t kStep = 3;
  for (int64_t batch_size = 1; batch_size <= 9; ++batch_size) {
    for (int64_t ranks = 1; ranks <= batch_size; ++ranks) {
      std::vector<int64_t> read;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        const Share share{rank, ranks};
        EXPECT_GE(share.rows(batch_size), 1);
        for (int64_t row = 0; row < share.rows(batch_size); ++row) {
          read.push_back(share.position(kStep, batch_size, row));
        }
      }
      std::sort(read.begin(), read.end());
      ASSERT_EQ(std::ssize(read), batch_size);
      for (int64_t i = 0; i < batch_size; ++i) EXPECT_EQ(read[i], kStep * batch_size + i) << ranks;
    }
  }
}

class SharedBatches : public ::testing::Test {
 protected:
  SharedBatches() {
    for (int i = 0; i < 7; ++i) {
      const std::string video = numbered(folder_, fmt::format("{}.mp4", i));
      samples_.push_back({{video},
                          i % 2 == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1},
                          1.f + static_cast<float>(i)});
    }
    input_.size_px = 32;
    input_.sampling = {"dense", 4, 1, 8};
    reader_ = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
  }

  std::unique_ptr<TrainingBatches> batches(const std::vector<Sample>& samples,
                                           const AugmentOptions& augment, bool balanced,
                                           int64_t batch_size, int64_t views, Share share) {
    return std::make_unique<TrainingBatches>(*reader_, samples, 2, batch_size, augment, balanced,
                                             Random(7),
                                             /*first_step=*/0, /*threads=*/1, views, share);
  }

  TemporaryFolder folder_;
  std::vector<Sample> samples_;
  InputOptions input_;
  std::unique_ptr<ClipReader> reader_;
};

TEST_F(SharedBatches, HaveTogetherTheClipsAndDrawsOfOneRank) {
  AugmentOptions augment;
  augment.flip = 0.5;
  augment.brightness = 0.3;
  constexpr int64_t kSize = 5;
  constexpr int64_t kRanks = 2;
  for (const bool balanced : {false, true}) {
    const auto whole = batches(samples_, augment, balanced, kSize, 2, {});
    std::vector<std::unique_ptr<TrainingBatches>> parts;
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      parts.push_back(batches(samples_, augment, balanced, kSize, 2, {rank, kRanks}));
    }
    for (int step = 0; step < 4; ++step) {
      const Batch all = whole->next();
      for (int64_t rank = 0; rank < kRanks; ++rank) {
        const Batch part = parts[rank]->next();
        const auto of_rank = [&](const torch::Tensor& column) {
          return column.slice(0, rank, kSize, kRanks);
        };
        EXPECT_TRUE(part.rows.equal(of_rank(all.rows))) << step;
        EXPECT_TRUE(part.clips.equal(of_rank(all.clips))) << step;
        EXPECT_TRUE(part.second.equal(of_rank(all.second))) << step;
        EXPECT_TRUE(part.targets.equal(of_rank(all.targets))) << step;
        EXPECT_TRUE(part.weights.equal(of_rank(all.weights))) << step;
      }
    }
  }
}

// Every row is the same clip as it is, so only what the family draws tells the ranks apart.
TEST_F(SharedBatches, AreChangedByEachRanksOwnDraws) {
  input_.sampling.jitter_steps = 1;
  ClipReader still(input_, CacheOptions{folder_ / "still", 1});
  AugmentOptions augment;
  read_options(
      augment,
      "{scales: [], family: {name: randaugment_t, operations: 2, of: [brightness, rotate]}}",
      "test");
  const auto first_of = [&](Share share) {
    TrainingBatches batches(still, {samples_[0]}, 2, 2, augment, false, Random(7), 0, 0, 1, share);
    return batches.next().clips[0];
  };
  const torch::Tensor alone = first_of({});
  const torch::Tensor first = first_of({0, 2});
  const torch::Tensor second = first_of({1, 2});
  EXPECT_TRUE(first.equal(alone));
  EXPECT_FALSE(second.equal(first));
}

TEST_F(SharedBatches, AreTakenToAnotherDeviceWhole) {
  AugmentOptions augment;
  const Batch batch = batches(samples_, augment, false, 3, 2, {})->next();
  const Batch same = batch.to(torch::kCPU);
  const Batch shapes = batch.to(torch::kMeta);
  EXPECT_EQ(same.clips.const_data_ptr(), batch.clips.const_data_ptr());
  for (const auto* tensor : {&shapes.clips, &shapes.targets, &shapes.rows, &shapes.weights,
                             &shapes.teacher, &shapes.second}) {
    EXPECT_TRUE(tensor->is_meta());
  }
  EXPECT_FALSE(shapes.transform.defined());
}

}  // namespace
}  // namespace distal
