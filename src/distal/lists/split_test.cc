#include "distal/lists/split.h"

#include <map>
#include <set>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Rows {
  std::vector<Row> all;
  void add(const std::string& label, const std::string& group, int64_t count = 1) {
    for (int64_t i = 0; i < count; ++i) {
      Row row;
      row.path = label + "/" + group + "_" + std::to_string(i) + ".mp4";
      row.label = label;
      row.group = group;
      all.push_back(row);
    }
  }
};

std::map<std::string, int64_t> tested(const Rows& rows, const GroupSplit& split) {
  std::map<std::string, int64_t> counts;
  for (size_t i = 0; i < rows.all.size(); ++i) counts[rows.all[i].label] += split.test[i];
  return counts;
}

std::set<std::string> groups(const Rows& rows, const GroupSplit& split, bool test) {
  std::set<std::string> names;
  for (size_t i = 0; i < rows.all.size(); ++i) {
    if (split.test[i] == test) names.insert(rows.all[i].group);
  }
  return names;
}

void expect_whole_groups_and_training(const Rows& rows, const GroupSplit& split) {
  const auto test = groups(rows, split, true);
  for (const auto& group : groups(rows, split, false))
    EXPECT_FALSE(test.contains(group)) << group << " stands on both sides";
  std::map<std::string, int64_t> training;
  for (size_t i = 0; i < rows.all.size(); ++i) training[rows.all[i].label] += !split.test[i];
  for (const auto& [label, count] : training)
    EXPECT_GT(count, 0) << label << " has nothing to train on";
}

// Seven phases in each of 20 operations: a draw of its own for each phase would hold out nearly all
// operations.
TEST(GroupSplit, GroupsThatSpanAllClassesCountTowardsEachOfThem) {
  Rows rows;
  for (int operation = 0; operation < 20; ++operation) {
    for (int phase = 0; phase < 7; ++phase)
      rows.add("phase" + std::to_string(phase), "op" + std::to_string(operation),
               1 + (operation + phase) % 3);
  }
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const GroupSplit split = split_by_group(rows.all, 0.25, seed);
    expect_whole_groups_and_training(rows, split);
    EXPECT_GE(groups(rows, split, true).size(), 4u) << seed;
    EXPECT_LE(groups(rows, split, true).size(), 6u) << seed;
    for (const auto& [label, count] : tested(rows, split))
      EXPECT_NEAR(static_cast<double>(count), 10, 3) << label << ", seed " << seed;
  }
}

TEST(GroupSplit, AClassOfOneGroupTrainsAndIsNamed) {
  Rows rows;
  rows.add("rare", "p1", 3);
  for (const char* patient : {"p1", "p2", "p3", "p4"}) rows.add("common", patient, 5);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const GroupSplit split = split_by_group(rows.all, 0.25, seed);
    expect_whole_groups_and_training(rows, split);
    EXPECT_THAT(split.one_group, ElementsAre("rare"));
    EXPECT_EQ(tested(rows, split)["rare"], 0);
    EXPECT_EQ(tested(rows, split)["common"], 5);
  }
}

TEST(GroupSplit, OneGroupPerClassLeavesNothingToTestOn) {
  Rows rows;
  rows.add("a", "g1", 4);
  rows.add("b", "g2", 4);
  const GroupSplit split = split_by_group(rows.all, 0.25, 1);
  EXPECT_THAT(split.one_group, ElementsAre("a", "b"));
  EXPECT_THAT(groups(rows, split, true), IsEmpty());
}

TEST(GroupSplit, AClassWhoseGroupsAreAllNeededElsewhereIsNamed) {
  Rows rows;
  for (const char* patient : {"p1", "p2"}) rows.add("both", patient, 4);
  rows.add("only in p1", "p1");
  rows.add("only in p2", "p2");
  const GroupSplit split = split_by_group(rows.all, 0.5, 1);
  EXPECT_THAT(split.one_group, ElementsAre("only in p1", "only in p2"));
  EXPECT_THAT(split.untested, ElementsAre("both"));
  EXPECT_THAT(groups(rows, split, true), IsEmpty());
}

// CLASS/001.mp4: the numbers are no source videos, yet 001 is one group of all classes.
TEST(GroupSplit, NumberedFilesOfEveryClassGiveEachItsShare) {
  Rows rows;
  for (const char* label : {"jump", "run", "sit"}) {
    for (int i = 1; i <= 40; ++i) rows.add(label, std::to_string(i));
  }
  const GroupSplit split = split_by_group(rows.all, 0.25, 3);
  expect_whole_groups_and_training(rows, split);
  for (const auto& [label, count] : tested(rows, split)) EXPECT_EQ(count, 10) << label;
}

TEST(GroupSplit, SharesAreReachedWithinOneGroup) {
  Rows rows;
  int64_t largest = 0;
  for (int label = 0; label < 5; ++label) {
    for (int group = 0; group < 25; ++group) {
      const int64_t size = 4 + (group * 7 + label) % 4;
      largest = std::max(largest, size);
      rows.add("class" + std::to_string(label),
               std::to_string(label) + "_g" + std::to_string(group), size);
    }
  }
  for (const double share : {0.1, 0.25, 0.5}) {
    const GroupSplit split = split_by_group(rows.all, share, 7);
    expect_whole_groups_and_training(rows, split);
    std::map<std::string, int64_t> totals;
    for (const Row& row : rows.all) ++totals[row.label];
    for (const auto& [label, count] : tested(rows, split))
      EXPECT_LE(std::abs(static_cast<double>(count) - share * static_cast<double>(totals[label])),
                static_cast<double>(largest))
          << label << " at " << share;
  }
}

TEST(GroupSplit, ALargeGroupDoesNotSwallowTheTestSet) {
  Rows rows;
  rows.add("a", "huge", 90);
  for (int i = 0; i < 10; ++i) rows.add("a", "small" + std::to_string(i));
  for (uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_EQ(tested(rows, split_by_group(rows.all, 0.25, seed))["a"], 10) << seed;
}

TEST(GroupSplit, TwoLargeGroupsAreOneOnEachSide) {
  Rows rows;
  rows.add("a", "g1", 50);
  rows.add("a", "g2", 50);
  EXPECT_EQ(tested(rows, split_by_group(rows.all, 0.25, 1))["a"], 50);
}

TEST(GroupSplit, DependsOnTheSeedAlone) {
  Rows rows;
  for (int group = 0; group < 30; ++group)
    rows.add(group % 2 == 0 ? "a" : "b", "g" + std::to_string(group), 2);
  EXPECT_EQ(split_by_group(rows.all, 0.25, 5).test, split_by_group(rows.all, 0.25, 5).test);
  EXPECT_NE(split_by_group(rows.all, 0.25, 5).test, split_by_group(rows.all, 0.25, 6).test);
  Rows backwards = rows;
  std::reverse(backwards.all.begin(), backwards.all.end());
  EXPECT_EQ(groups(rows, split_by_group(rows.all, 0.25, 5), true),
            groups(backwards, split_by_group(backwards.all, 0.25, 5), true));
}

TEST(GroupSplit, UnlabelledRowsFollowTheirGroupAndCountForNobody) {
  Rows rows;
  for (int group = 0; group < 8; ++group) rows.add("a", "g" + std::to_string(group));
  rows.add(kUnlabelled, "g0", 100);
  rows.add(kUnlabelled, "elsewhere", 5);
  const GroupSplit split = split_by_group(rows.all, 0.25, 1);
  expect_whole_groups_and_training(rows, split);
  EXPECT_EQ(tested(rows, split)["a"], 2);
  EXPECT_FALSE(split.test.back());
}

TEST(GroupSplit, AShareOfZeroTestsNothing) {
  Rows rows;
  for (int group = 0; group < 8; ++group) rows.add("a", "g" + std::to_string(group));
  const GroupSplit split = split_by_group(rows.all, 0, 1);
  EXPECT_THAT(groups(rows, split, true), IsEmpty());
  EXPECT_THAT(split.untested, IsEmpty());
}

TEST(GroupSplit, WithoutLabelsWholeGroupsAreHeldOut) {
  Rows rows;
  for (int patient = 0; patient < 12; ++patient) rows.add("", "p" + std::to_string(patient), 5);
  const std::vector<bool> held_out = hold_out_groups(rows.all, 0.25, 7);
  std::map<std::string, std::set<bool>> sides;
  for (size_t i = 0; i < held_out.size(); ++i) sides[rows.all[i].group].insert(held_out[i]);
  for (const auto& [group, one] : sides) EXPECT_EQ(one.size(), 1u) << group;
  EXPECT_EQ(std::count(held_out.begin(), held_out.end(), true), 15);
  EXPECT_EQ(held_out, hold_out_groups(rows.all, 0.25, 7));
  EXPECT_NE(held_out, hold_out_groups(rows.all, 0.25, 8));
}

}  // namespace
}  // namespace distal
