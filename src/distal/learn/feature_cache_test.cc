// Features of clips on disk, with a network that counts what it is asked.

#include "distal/learn/feature_cache.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/progress.h"
#include "distal/base/testing.h"
#include "distal/networks/network.h"

namespace distal {
namespace {

class FeatureCacheTest : public ::testing::Test {
 protected:
  class Counting final : public ForeignNetwork {
   public:
    torch::Tensor run(const torch::Tensor&) override { return {}; }
    int64_t width() const override { return 5; }
    int64_t size_px() const override { return 32; }
    int64_t frames() const override { return 1; }
    const std::vector<std::string>& classes() const override { return none; }
    std::string id() const override { return name; }
    std::string name = "00000000000000aa";
    std::vector<std::string> none;
  };

  FeatureCacheTest() {
    for (int64_t i = 0; i < 40; ++i) {
      Clip clip;
      clip.video_id = fmt::format("{:016x}", i);
      clip.end_s = 1;
      clips_.push_back(clip);
    }
  }

  static float value_of(const Clip& clip, int64_t column) {
    return std::stof("0x" + clip.video_id.str().substr(8)) * 1.2345f +
           0.1f * static_cast<float>(column) + 1e-3f;
  }

  // `unreadable`: clips that get no features.
  FeatureCache::Found ask(const ClipRefs& clips, int64_t unreadable = 0) {
    FeatureCache cache({folder_.path(), 1}, network_, input_);
    path_ = cache.path();
    return cache.features(
        clips,
        [&](const ClipRefs& missing, const FeatureCache::Store& store) {
          const auto readable = std::ssize(missing) - unreadable;
          for (int64_t at = 0; at < readable; at += 7) {
            const int64_t end = std::min<int64_t>(at + 7, readable);
            const torch::Tensor rows = torch::arange(at, end);
            torch::Tensor features = torch::empty({end - at, 5});
            for (int64_t i = at; i < end; ++i) {
              for (int64_t d = 0; d < 5; ++d) features[i - at][d] = value_of(*missing[i], d);
            }
            computed_ += end - at;
            store(rows, features);
          }
        },
        quiet_);
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  Counting network_;
  InputOptions input_;
  std::string path_;
  std::atomic<int64_t> computed_ = 0;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

TEST_F(FeatureCacheTest, ComputesEachClipOnceAndGivesTheSameValuesLater) {
  const ClipRefs all = refs_of(clips_);
  const auto first = ask({all.begin(), all.begin() + 25});
  EXPECT_EQ(first.computed, 25);
  EXPECT_EQ(first.found, 0);
  const auto later = ask(all);
  EXPECT_EQ(later.computed, 15);
  EXPECT_EQ(later.found, 25);
  EXPECT_EQ(computed_, 40);
  EXPECT_TRUE(later.values.slice(0, 0, 25).equal(first.values));
  EXPECT_TRUE(ask(all).values.equal(later.values));
  for (int64_t i = 0; i < 40; ++i) {
    const float exact = value_of(clips_[i], 2);
    EXPECT_NEAR(later.values[i][2].item<float>(), exact, exact / 256) << "bf16";
  }
  EXPECT_NE(first.values[3][2].item<float>(), value_of(clips_[3], 2)) << "rounded at once";
}

TEST_F(FeatureCacheTest, TakesADamagedRowAndHalfARowForMissing) {
  const ClipRefs all = refs_of(clips_);
  const auto whole = ask(all);
  const auto size = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, size - 3);  // its writer was killed
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64 + 16 + 2);  // the first row
    file.put('\x55');
  }
  const auto again = ask(all);
  EXPECT_EQ(again.computed, 2);
  EXPECT_TRUE(again.values.equal(whole.values));
  EXPECT_EQ(ask(all).computed, 0);
}

TEST_F(FeatureCacheTest, IsComputedByOneOfSeveralWhoAskAtOnce) {
  const ClipRefs all = refs_of(clips_);
  std::vector<FeatureCache::Found> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& one : found) {
      threads.emplace_back([&] {
        FeatureCache cache({folder_.path(), 1}, network_, input_);
        ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
        one = cache.features(
            all,
            [&](const ClipRefs& missing, const FeatureCache::Store& store) {
              for (int64_t i = 0; i < std::ssize(missing); ++i) {
                ++computed_;
                store(torch::tensor({i}, torch::kInt64),
                      torch::full({1, 5}, value_of(*missing[i], 0)));
              }
            },
            quiet);
      });
    }
  }
  EXPECT_EQ(computed_, 40);
  for (const auto& one : found) EXPECT_TRUE(one.values.equal(found[0].values));
}

TEST_F(FeatureCacheTest, GivesNoRowToAClipThatCannotBeReadAndTriesItAgain) {
  const auto found = ask(refs_of(clips_), /*unreadable=*/1);
  EXPECT_EQ(found.values.size(0), 39);
  EXPECT_TRUE(found.rows.equal(torch::arange(39)));
  EXPECT_EQ(ask(refs_of(clips_)).computed, 1);
}

TEST_F(FeatureCacheTest, KeepsNetworksAndInputsApart) {
  const ClipRefs all = refs_of(clips_);
  ask(all);
  input_.sampling.frames = 4;
  EXPECT_EQ(ask(all).found, 0);
  input_.sampling.jitter_steps = 3;
  input_.deadline_s = 99;
  EXPECT_EQ(ask(all).found, 40) << "changes no centre frame";
  network_.name = "00000000000000bb";
  EXPECT_EQ(ask(all).found, 0);
}

TEST_F(FeatureCacheTest, RefusesNumbersThatAreNotFiniteAndKeepsNone) {
  FeatureCache cache({folder_.path(), 1}, network_, input_);
  const ClipRefs all = refs_of(clips_);
  const std::string refusal = error_of([&] {
    cache.features(
        {all[0]},
        [](const ClipRefs&, const FeatureCache::Store& store) {
          store(torch::tensor({0}, torch::kInt64), torch::full({1, 5}, NAN));
        },
        quiet_);
  });
  EXPECT_THAT(refusal, ::testing::HasSubstr("not finite"));
  EXPECT_EQ(ask(all).found, 0);
}

}  // namespace
}  // namespace distal
