#include "distal/video/live_clock.h"

#include <limits>
#include <vector>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

constexpr double kNoTime = std::numeric_limits<double>::quiet_NaN();

struct Came {
  double pts_s, now_s;
};

std::vector<double> times_of(LiveClock& clock, const std::vector<Came>& frames) {
  std::vector<double> times;
  for (const auto& frame : frames) times.push_back(clock.of(frame.pts_s, frame.now_s, 0.04).time_s);
  return times;
}

auto near(double time_s) { return DoubleNear(time_s, 1e-9); }

TEST(LiveClock, CountsFromTheFirstFrameByPresentationTimes) {
  for (const bool live : {false, true}) {
    LiveClock clock(live);
    EXPECT_THAT(times_of(clock, {{7000, 50}, {7000.04, 50.3}, {7000.12, 50.31}}),
                ElementsAre(near(0), near(0.04), near(0.12)));
  }
}

TEST(LiveClock, AfterALossALiveSourceGoesOnByTheClockOnTheWallAndAPipeWhereItWas) {
  for (const bool live : {false, true}) {
    LiveClock clock(live);
    times_of(clock, {{10, 100}, {10.04, 100.04}});
    clock.lost();
    EXPECT_THAT(times_of(clock, {{3, 107}, {3.04, 107.5}}),
                ElementsAre(near(live ? 7 : 0.08), near(live ? 7.04 : 0.12)));
  }
}

TEST(LiveClock, PutsFramesWithoutTimesOneAfterTheOther) {
  LiveClock pipe(false);
  EXPECT_THAT(times_of(pipe, {{kNoTime, 5}, {kNoTime, 9}}), ElementsAre(near(0), near(0.04)));
  LiveClock camera(true);
  EXPECT_THAT(times_of(camera, {{kNoTime, 5}, {kNoTime, 9}}), ElementsAre(near(0), near(4)));
}

// As FFmpeg reads RTSP: the first frame has no time, and the second one is decoded late.
TEST(LiveClock, PutsTheFirstTimeAfterTheFramesWithoutOne) {
  LiveClock clock(true);
  EXPECT_THAT(times_of(clock, {{kNoTime, 100}, {7.04, 100.6}, {7.08, 100.61}}),
              ElementsAre(near(0), near(0.04), near(0.08)));
  clock.lost();
  EXPECT_THAT(times_of(clock, {{kNoTime, 103}, {3.04, 103.7}}), ElementsAre(near(3), near(3.04)));
}

TEST(LiveClock, SaysWhereTimesJumpAndGoesOn) {
  LiveClock clock(false);
  times_of(clock, {{0, 0}, {0.04, 0}});
  const auto ahead = clock.of(500, 0, 0.04);
  EXPECT_NEAR(ahead.time_s, 0.08, 1e-9);
  EXPECT_NEAR(ahead.break_s, 499.96, 1e-9);
  EXPECT_NEAR(clock.of(500.04, 0, 0.04).time_s, 0.12, 1e-9) << "the new times count";
  const auto back = clock.of(3, 0, 0.04);
  EXPECT_NEAR(back.time_s, 0.16, 1e-9);
  EXPECT_LT(back.break_s, 0);
}

TEST(LiveClock, BelievesALongWaitOfALiveSourceThatTheWallConfirms) {
  LiveClock clock(true);
  times_of(clock, {{0, 100}, {0.04, 100.04}});
  const auto late = clock.of(60, 160, 0.04);
  EXPECT_NEAR(late.time_s, 60, 1e-9);
  EXPECT_GT(late.break_s, 0) << "what came before does not join on";
}

TEST(LiveClock, AlwaysAscends) {
  LiveClock clock(true);
  double before = -1;
  for (const double pts : {5.0, 5.04, 5.04, 5.02, 5.08, -300.0, -299.96, 5.0}) {
    const double time_s = clock.of(pts, 10, 0.04).time_s;
    EXPECT_GT(time_s, before) << pts;
    before = time_s;
  }
}

}  // namespace
}  // namespace distal
