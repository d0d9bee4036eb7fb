// Two views of one clip: drawn independently, beside the first views that batches of one view have.

#include "distal/base/random.h"
#include "distal/data/augment.h"
#include "distal/data/batches.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

TEST(SecondViews, ShowTheSameClipsWithDrawsOfTheirOwn) {
  const TemporaryFolder folder;
  std::vector<Sample> samples;
  for (int i = 0; i < 4; ++i)
    samples.push_back({{numbered(folder, fmt::format("{}.mp4", i))}, {}, 1, {}});
  InputOptions input;
  input.size_px = 32;
  input.sampling = {"dense", 4, 1, 0};
  ClipReader reader(input, {folder / "cache", 1});
  AugmentOptions augment;
  augment.brightness = 0.3;
  const auto batches = [&](int64_t first_step, int64_t threads, int64_t views) {
    return std::make_unique<TrainingBatches>(reader, samples, 1, 3, augment, false, Random(7),
                                             first_step, threads, views);
  };
  const auto one = batches(0, 1, 1);
  const auto two = batches(0, 2, 2);
  const auto resumed = batches(1, 0, 2);
  for (int step = 0; step < 3; ++step) {
    const Batch single = one->next();
    const Batch both = two->next();
    EXPECT_FALSE(single.second.defined());
    EXPECT_TRUE(both.clips.equal(single.clips));
    EXPECT_TRUE(both.rows.equal(single.rows));
    ASSERT_EQ(both.second.sizes(), both.clips.sizes());
    EXPECT_GE(both.second.min().item<float>(), -1);
    EXPECT_LE(both.second.max().item<float>(), 1);
    for (int64_t i = 0; i < 3; ++i) EXPECT_FALSE(both.second[i].equal(both.clips[i])) << i;
    if (step > 0) {
      EXPECT_TRUE(resumed->next().second.equal(both.second)) << step;
    }
  }
}

}  // namespace
}  // namespace distal
