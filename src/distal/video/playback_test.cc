#include "distal/video/playback.h"

#include <gmock/gmock.h>

namespace distal::ffmpeg {
namespace {

using ::testing::ElementsAre;

std::vector<double> ascending(const std::vector<int64_t>& times, int64_t duration = 2) {
  std::vector<PlayedFrame> frames;
  for (const int64_t time : times) frames.push_back({time, time, duration});
  return ascending_ticks(frames);
}

TEST(AscendingTicks, AreTheTimesWhereThoseAscend) {
  EXPECT_THAT(ascending({-4, 0, 7}), ElementsAre(-4, 0, 7));
}

TEST(AscendingTicks, GoOnWhereTimesRunBack) {
  EXPECT_THAT(ascending({10, 12, 14, 0, 2, 4}), ElementsAre(10, 12, 14, 16, 18, 20));
}

TEST(AscendingTicks, ShareWhatAContainerRounds) {
  EXPECT_THAT(ascending({0, 1, 1, 2, 2, 4}), ElementsAre(0, 1, 1.5, 2, 3, 4));
}

TEST(AscendingTicks, AFrameOutOfTurnCostsTheOthersNothing) {
  EXPECT_THAT(ascending({0, 2, 6, 4, 8, 10}), ElementsAre(0, 2, 6, 7, 8, 10));
}

TEST(AscendingTicks, CountWhatHasNoTime) {
  EXPECT_THAT(ascending({0, AV_NOPTS_VALUE, 4, AV_NOPTS_VALUE}), ElementsAre(0, 2, 4, 6));
}

}  // namespace
}  // namespace distal::ffmpeg
