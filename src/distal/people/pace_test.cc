#include "distal/people/pace.h"

#include <limits>

#include <gmock/gmock.h>

namespace distal {
namespace {

using testing::HasSubstr;

TEST(TimeLeftTest, IsAssumedUntilFiveAnswersAreTimed) {
  const auto left = time_left({2, 2, 2, 2}, 60, 10);
  EXPECT_FALSE(left.measured);
  EXPECT_EQ(left.timed, 4);
  EXPECT_EQ(left.seconds_each, 10);
  EXPECT_EQ(left.minutes, 10);
  EXPECT_EQ(left.low_minutes, 10);
  EXPECT_EQ(left.high_minutes, 10);
  EXPECT_EQ(
      left.text(),
      "about 10 minutes for 60 answers, if each takes 10 s; this is assumed until 5 are timed");
  EXPECT_TRUE(time_left({2, 2, 2, 2, 2}, 60, 10).measured);
}

TEST(TimeLeftTest, IsTheMedianWhichABreakDoesNotMove) {
  const auto left = time_left({4, 6, 5, 3600, 7}, 30, 10);
  EXPECT_EQ(left.seconds_each, 6);
  EXPECT_EQ(left.minutes, 3);
  EXPECT_EQ(left.low_minutes, 2.5);
  EXPECT_EQ(left.high_minutes, 3.5);
  EXPECT_EQ(left.text(), "about 3 minutes for 30 answers, at 6.0 s each, the median of the last 5");
}

TEST(TimeLeftTest, TheLastAnswersCount) {
  std::vector<double> seconds(100, 30.0);
  seconds.insert(seconds.end(), 50, 4.0);
  const auto left = time_left(seconds, 15, 10);
  EXPECT_EQ(left.timed, 50);
  EXPECT_EQ(left.seconds_each, 4);
}

TEST(TimeLeftTest, WhatIsNoTimeIsPassedOver) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double endless = std::numeric_limits<double>::infinity();
  const auto left = time_left({5, nan, -1, 0, endless, 5, 5, 5}, 12, 10);
  EXPECT_EQ(left.timed, 4);
  EXPECT_FALSE(left.measured);
  EXPECT_EQ(time_left({}, 0, 10).text(), "nothing is left to answer");
}

TEST(TimeLeftTest, LongTimesAreHours) {
  EXPECT_THAT(time_left({}, 3600, 10).text(), HasSubstr("about 10.0 hours"));
  EXPECT_THAT(time_left({}, 2, 10).text(), HasSubstr("less than a minute"));
}

TEST(PeoplePaceTest, IsOneFactorForClipsOfEveryLength) {
  // Clips of 4 and of 16 seconds: 8 and 20 are assumed.
  EXPECT_EQ(people_pace({{4, 4}, {16, 10}, {4, 4}, {16, 10}}).factor, 1) << "four say little";
  const auto pace = people_pace({{4, 4}, {16, 10}, {4, 4}, {16, 10}, {4, 4000}});
  EXPECT_TRUE(pace.measured);
  EXPECT_EQ(pace.timed, 5);
  EXPECT_EQ(pace.factor, 0.5) << "a break does not move the median";
  EXPECT_EQ(pace.seconds(4), 4);
  EXPECT_EQ(pace.seconds(26), 15);
}

TEST(AssumedSeconds, IsTheClipOnceAndFourMore) {
  EXPECT_EQ(assumed_seconds(8), 12);
  EXPECT_EQ(assumed_seconds(std::numeric_limits<double>::infinity()), 10);
}

}  // namespace
}  // namespace distal
