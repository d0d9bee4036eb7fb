// The class of a clip by the ranges that cover it, against times worked out by hand.

#include "distal/oracles/range_cover.h"

#include <gtest/gtest.h>

namespace distal {
namespace {

using Range = PeopleStore::Range;

Clip from_to(double start_s, double end_s) {
  Clip clip;
  clip.start_s = start_s;
  clip.end_s = end_s;
  return clip;
}

std::string covered(const std::vector<Range>& ranges, double start_s, double end_s,
                    const CoverRule& rule = {}) {
  return class_by_cover(ranges, from_to(start_s, end_s), rule);
}

TEST(RangeCover, TheClassThatCoversMostIsTaken) {
  const std::vector<Range> ranges = {{0, 5, "cut"}, {5, 20, "sew"}};
  EXPECT_EQ(covered(ranges, 0, 8), "cut") << "5 s against 3 s";
  EXPECT_EQ(covered(ranges, 8, 16), "sew");
  EXPECT_EQ(covered({}, 0, 8), "");
}

TEST(RangeCover, RangesAreHalfOpen) {
  const std::vector<Range> ranges = {{0, 8, "cut"}, {16, 24, "sew"}};
  EXPECT_EQ(covered(ranges, 8, 16), "") << "one range ends where it begins, one begins at its end";
  EXPECT_EQ(covered(ranges, 7.9, 8.1), "cut") << "exactly half";
}

TEST(RangeCover, LessThanTheLeastShareIsNothing) {
  const std::vector<Range> ranges = {{0, 3, "cut"}, {4, 7.9, "sew"}};
  EXPECT_EQ(covered(ranges, 0, 8), "") << "3.9 s of 8 s";
  EXPECT_EQ(covered(ranges, 0, 8, {.min_cover = 3.9 / 8}), "sew");
  EXPECT_EQ(covered({{0, 7.99, "cut"}}, 0, 8, {.min_cover = 1}), "");
  EXPECT_EQ(covered({{0, 8, "cut"}}, 0, 8, {.min_cover = 1}), "cut");
  EXPECT_EQ(covered({{0, 100, "cut"}}, 0, 8, {.min_cover = 1}), "cut");
}

TEST(RangeCover, TimeOfOneClassCountsOnce) {
  const std::vector<Range> ranges = {{0, 2, "cut"}, {1, 3, "cut"}, {0, 3, "cut"}, {3, 8, "sew"}};
  EXPECT_EQ(covered(ranges, 0, 8), "sew") << "cut covers 3 s, not 7 s";
  EXPECT_EQ(covered({{6, 8, "cut"}, {0, 2.5, "cut"}}, 0, 8), "cut") << "4.5 s in two parts";
}

TEST(RangeCover, TimeOfTwoClassesCountsForBoth) {
  const std::vector<Range> ranges = {{0, 6, "cut"}, {1, 8, "sew"}};
  EXPECT_EQ(covered(ranges, 0, 8), "sew") << "7 s against 6 s";
  EXPECT_EQ(covered(ranges, 0, 8, {.min_cover = 0.9}), "");
}

TEST(RangeCover, OfEqualCoverTheFirstInTimeIsTakenThenTheFirstByName) {
  EXPECT_EQ(covered({{4, 8, "cut"}, {0, 4, "sew"}}, 0, 8), "sew");
  EXPECT_EQ(covered({{0, 8, "sew"}, {0, 8, "cut"}}, 0, 8), "cut");
  EXPECT_EQ(covered({{-5, 4, "sew"}, {-3, 4, "cut"}, {4, 9, "rest"}}, 0, 8), "cut")
      << "what lies before the clip does not count";
}

TEST(RangeCover, SumsOfFramesAreEqualToTheMicrosecond) {
  std::vector<Range> ranges = {{1, 2, "sew"}};
  for (int frame = 0; frame < 25; ++frame)
    ranges.push_back({frame * 0.04, (frame + 1) * 0.04, "cut"});
  EXPECT_EQ(covered(ranges, 0, 2), "cut") << "25 frames of 40 ms are the second that they are";
  ranges.pop_back();
  EXPECT_EQ(covered(ranges, 0, 2), "sew") << "a frame less is less";
}

TEST(RangeCover, BackgroundIsTheClassOfGaps) {
  const std::vector<Range> ranges = {{2, 3, "cut"}, {5, 6, "sew"}};
  EXPECT_EQ(covered(ranges, 0, 8, {.background = "rest"}), "rest") << "2 s + 2 s + 2 s of 8 s";
  EXPECT_EQ(covered({}, 0, 8, {.background = "rest"}), "rest");
  EXPECT_EQ(covered({{0, 6, "cut"}}, 0, 8, {.background = "rest"}), "cut");
  EXPECT_EQ(covered({{0, 3, "cut"}, {3, 6, "sew"}}, 0, 8, {.background = "rest"}), "")
      << "3 s, 3 s and a gap of 2 s: nothing covers half";
  EXPECT_EQ(covered({{0, 3, "rest"}, {3, 6.5, "cut"}}, 0, 8, {.background = "rest"}), "rest")
      << "3 s that the person marked and a gap of 1.5 s";
}

}  // namespace
}  // namespace distal
