#include "distal/models/online_eco.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Positions = std::vector<int64_t>;

// The clips that the first `frames` frames of a stream give.
std::vector<Positions> clips_after(int64_t frames) {
  OnlineEco online;
  std::vector<Positions> clips;
  for (int64_t i = 0; i < frames; ++i) {
    if (auto clip = online.add_frame(); !clip.empty()) clips.push_back(clip);
  }
  return clips;
}

// Eight of sixteen: 15 i / 7 = 0, 2.1, 4.3, 6.4, 8.6, 10.7, 12.9, 15. Four: 0, 5, 10, 15. Two:
// 0, 15. One: 0.
TEST(OnlineEco, TakesItsFramesFromTheLastSlotsByTheTable) {
  EXPECT_THAT(
      clips_after(80),
      ElementsAre(Positions{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                  Positions{0, 2, 4, 6, 9, 11, 13, 15, 16, 18, 20, 22, 25, 27, 29, 31},
                  Positions{0, 5, 10, 15, 16, 21, 26, 31, 32, 34, 36, 38, 41, 43, 45, 47},
                  Positions{0, 15, 16, 31, 32, 37, 42, 47, 48, 50, 52, 54, 57, 59, 61, 63},
                  Positions{0, 16, 32, 47, 48, 53, 58, 63, 64, 66, 68, 70, 73, 75, 77, 79}));
}

TEST(OnlineEco, ForgetsTheOldestOfSixSlots) {
  auto fifth = clips_after(80).back();
  for (auto& position : fifth) position += 16;
  EXPECT_EQ(clips_after(96).back(), fifth);
  for (auto& position : fifth) position += 16 * 994;
  EXPECT_EQ(clips_after(16 * 1000).back(), fifth);
}

TEST(OnlineEco, AnswersAtTheEndOfASlotOnly) {
  EXPECT_THAT(clips_after(15), IsEmpty());
  EXPECT_EQ(clips_after(16).size(), 1u);
  EXPECT_EQ(clips_after(31).size(), 1u);
  EXPECT_EQ(clips_after(32).size(), 2u);
}

TEST(OnlineEco, SaysWhichFramesMayBeForgotten) {
  OnlineEco online;
  for (int64_t frame = 0; frame < 500; ++frame) {
    const int64_t kept_from = online.first_needed();
    EXPECT_LE(frame + 1 - kept_from, OnlineEco::kSlots * OnlineEco::kSlotFrames);
    const auto clip = online.add_frame();
    if (clip.empty()) continue;
    EXPECT_EQ(clip.size(), static_cast<size_t>(OnlineEco::kClipFrames));
    EXPECT_GE(clip.front(), kept_from);
    EXPECT_EQ(clip.back(), frame) << "the newest frame is part of the clip";
    EXPECT_TRUE(std::is_sorted(clip.begin(), clip.end()));
  }
  EXPECT_EQ(online.first_needed(), 16 * (31 - 4))
      << "31 slots are whole; the next clip looks at four of them";
}

// 8, then (0 + 8) / 2 = 4, then (10 + 4) / 2 = 7; beside it -4, (4 - 4) / 2 = 0, (1 + 0) / 2.
TEST(OnlineEco, SmoothsTheScoresRecursively) {
  OnlineEco online;
  EXPECT_TRUE(at::equal(online.smooth(at::tensor({8.f, -4.f})), at::tensor({8.f, -4.f})));
  EXPECT_TRUE(at::equal(online.smooth(at::tensor({0.f, 4.f})), at::tensor({4.f, 0.f})));
  EXPECT_TRUE(at::equal(online.smooth(at::tensor({10.f, 1.f})), at::tensor({7.f, 0.5f})));
  EXPECT_TRUE(at::equal(OnlineEco().smooth(at::tensor({1.f})), at::tensor({1.f})))
      << "another stream begins anew";
}

TEST(OnlineEco, LeavesTheCallersScoresAlone) {
  OnlineEco online;
  auto first = at::tensor({2.f});
  online.smooth(first);
  first.zero_();  // an engine may use its buffer again
  EXPECT_TRUE(at::equal(online.smooth(at::tensor({4.f})), at::tensor({3.f})));
}

}  // namespace
}  // namespace distal
