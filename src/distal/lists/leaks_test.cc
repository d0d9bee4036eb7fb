#include "distal/lists/leaks.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// A row whose list says the group, or not; each file has a content of its own.
Footage in_group(const std::string& video, const std::string& group,
                 const std::string& label = "x") {
  return {video, "id of " + video, group, label, true, "l.csv:1"};
}
Footage alone(const std::string& video, const std::string& label = "x") {
  return {video, "id of " + video, group_of_path(video), label, false, "l.csv:1"};
}

std::string leak(const std::vector<Footage>& first, const std::vector<Footage>& second) {
  const auto found = find_leak(first, second);
  const auto back = find_leak(second, first);
  EXPECT_EQ(found.has_value(), back.has_value()) << "the order of the lists makes no difference";
  return found ? found->why : "";
}

TEST(Leaks, OneGroupOrOneContent) {
  EXPECT_EQ(leak({in_group("a.mp4", "g1")}, {in_group("b.mp4", "g2")}), "");
  EXPECT_EQ(leak({in_group("a.mp4", "g1")}, {in_group("b.mp4", "g2"), in_group("c.mp4", "g1")}),
            "they are of one group");
  Footage copy = in_group("copy.mp4", "g2");
  copy.content = "id of a.mp4";
  EXPECT_EQ(leak({in_group("a.mp4", "g1")}, {copy}), "they have the same content");
  Footage unknown = in_group("./d/../a.mp4", "g3");
  Footage first = in_group("a.mp4", "g1");
  unknown.content = first.content = Interned();
  EXPECT_EQ(leak({first}, {unknown}), "they are the same file");
}

TEST(Leaks, GroupsHaveOneNameWhereOneEndsInTheOther) {
  const char* why = "their groups have one name";
  EXPECT_EQ(leak({alone("videos/VID73.mp4")}, {in_group("clips/VID73_s00.mp4", "VID73")}), why);
  EXPECT_EQ(leak({in_group("a.mp4", "videos/VID73")}, {in_group("b.mp4", "VID73")}), why);
  EXPECT_EQ(leak({in_group("a.mp4", "videos/VID73")}, {in_group("b.mp4", "/data/videos/VID73")}),
            why);
  EXPECT_EQ(leak({in_group("a.mp4", "./videos/VID73.mp4")}, {in_group("b.mp4", "VID73")}), why);
  EXPECT_EQ(leak({in_group("a.mp4", "videos/VID73")}, {in_group("b.mp4", "VID7")}), "");
  EXPECT_EQ(leak({in_group("a.mp4", "videos/VID73")}, {in_group("b.mp4", "D73")}), "")
      << "whole parts of a path";
}

TEST(Leaks, GroupsThatListsSayTellFilesOfOneNameApart) {
  EXPECT_EQ(leak({in_group("a/1.mp4", "p1")}, {in_group("b/1.mp4", "p2")}), "");
  EXPECT_EQ(leak({in_group("left/000.mp4", "left/000")}, {in_group("right/000.mp4", "right/000")}),
            "");
}

TEST(Leaks, FilesOfOneNameAreOneVideoWhereAListDoesNotSayTheGroup) {
  const char* why = "their videos have one name, and a list does not say the group";
  EXPECT_EQ(leak({alone("full/op7.mp4")}, {alone("half/op7.mkv")}), why);
  EXPECT_EQ(leak({in_group("full/op7.mp4", "patient 9")}, {alone("half/op7.mkv")}), why);
  EXPECT_EQ(leak({alone("train/cut/op7.mp4", "cut")}, {alone("test/cut/op7.mp4", "cut")}), why);
  EXPECT_EQ(leak({alone("full/op7.mp4")}, {alone("half/op8.mkv")}), "");
}

TEST(Leaks, NumberedFilesAreNotTakenForOneVideo) {
  EXPECT_EQ(leak({alone("run/001.mp4", "run")}, {alone("walk/001.mp4", "walk")}), "")
      << "in folders of their classes";
  EXPECT_EQ(leak({alone("run/001.mp4", ""), alone("walk/002.mp4", "")},
                 {alone("walk/001.mp4", "walk"), alone("run/003.mp4", "run")}),
            "")
      << "labels of the other list";
  EXPECT_EQ(leak({alone("run/001.mp4", "0"), alone("walk/001.mp4", "1"), alone("run/002.mp4", "0")},
                 {alone("walk/002.mp4", "1")}),
            "")
      << "the first list has 001 twice: names are numbers there";
  EXPECT_EQ(leak({alone("train/run/001.mp4", "run"), alone("train/walk/001.mp4", "walk")},
                 {alone("test/run/001.mp4", "run")}),
            "");
}

ClipList clips_of(const std::vector<Clip>& clips, bool grouped) {
  ClipList list;
  for (const Clip& clip : clips) {
    list.clips.push_back(clip);
    list.origins.push_back({Origin(Interned("l.csv"), std::ssize(list.clips) + 1),
                            std::ssize(list.clips) - 1, grouped});
  }
  return list;
}

Clip clip(const std::string& video, const std::string& id, const std::string& group,
          int64_t label = 0) {
  Clip made{video, id, 0, 1};
  made.group = group;
  made.label = label;
  return made;
}

TEST(Leaks, TheMessageNamesTheTruePair) {
  const ClipList teacher =
      clips_of({clip("v/VID70.mp4", "70", "v/VID70"), clip("v/VID73.mp4", "73", "v/VID73")}, false);
  const ClipList pool =
      clips_of({clip("c/a.mp4", "a", "VID71"), clip("c/b.mp4", "b", "VID73")}, true);
  const Classes classes{{"x", "y"}};
  const ClipList none;
  EXPECT_NO_THROW(require_disjoint({"teacher.train", &teacher}, {"data.test", &none}, classes));
  EXPECT_EQ(error_of([&] {
              require_disjoint({"teacher.train", &teacher}, {"data.pool", &pool}, classes);
            }),
            "l.csv:3 (c/b.mp4, data.pool, group 'VID73') and l.csv:3 (v/VID73.mp4, teacher.train, "
            "group 'v/VID73') show one source video, for their groups have one name; "
            "keep all clips of it on one side, or tell the two apart in a column group");
  const ClipList copy = clips_of({clip("c/copy.mp4", "70", "other")}, true);
  EXPECT_THAT(
      error_of([&] {
        require_disjoint({"teacher.train", &teacher}, {"data.test", &copy}, classes);
      }),
      StartsWith(
          "l.csv:2 (c/copy.mp4, data.test, group 'other') and l.csv:2 (v/VID70.mp4, teacher.train, "
          "group 'v/VID70') show one source video, for they have the same content"));
}

TEST(OneLabel, ClipsThatListsShareHaveOneLabel) {
  const ClipList pool = clips_of({clip("a.mp4", "a", "a", 0), clip("b.mp4", "b", "b", 1)}, false);
  ClipList start = clips_of({clip("copy.mp4", "b", "copy", 1)}, false);
  const Classes classes{{"cat", "dog"}};
  EXPECT_NO_THROW(require_one_label({{"data.pool", &pool}, {"data.start", &start}}, classes));
  start.clips[0].label = 0;
  EXPECT_THAT(
      error_of([&] {
        require_one_label({{"data.pool", &pool}, {"data.start", &start}}, classes);
      }),
      StartsWith("l.csv:2: copy.mp4 (b.mp4 has the same content), 0.000 .. 1.000 s, has the label "
                 "'cat' here and 'dog' at l.csv:3 (data.pool); a clip has one label"));
  start.clips[0].label = -1;
  EXPECT_NO_THROW(require_one_label({{"data.pool", &pool}, {"data.start", &start}}, classes))
      << "unknown is no label";
}

std::vector<Row> rows_of(const std::vector<std::string>& groups, bool grouped = true) {
  std::vector<Row> rows;
  for (const std::string& group : groups) {
    Row row;
    row.path = group + ".mp4";
    row.label = "x";
    row.group = group;
    row.grouped = grouped;
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> groups_of(const std::vector<Row>& rows) {
  std::vector<std::string> groups;
  for (const Row& row : rows) groups.push_back(row.group);
  return groups;
}

TEST(JoinSources, CopiesShareTheGroupOfTheFirst) {
  auto rows = rows_of({"a", "b", "c", "d", "e"});
  EXPECT_EQ(join_sources(rows, {"1", "2", "1", "", ""}, {0, 0, 0, 0, 0}), 1);
  EXPECT_THAT(groups_of(rows), ElementsAre("a", "b", "a", "d",
                                           "e"));  // unknown contents are no copies of each other
}

TEST(JoinSources, GroupsThatShareAnyCopyBecomeOne) {
  auto rows = rows_of({"a", "b", "b", "c", "c", "d"});
  EXPECT_EQ(join_sources(rows, {"1", "1", "2", "2", "3", "4"}, {0, 0, 0, 0, 0, 0}), 4);
  EXPECT_THAT(groups_of(rows), ElementsAre("a", "a", "a", "a", "a", "d"));
}

TEST(JoinSources, NamesOfOneSourceBecomeOne) {
  auto rows = rows_of({"videos/VID73", "VID73", "left/000", "right/000"});
  EXPECT_EQ(join_sources(rows, {"1", "2", "3", "4"}, {0, 0, 0, 0}), 1);
  EXPECT_THAT(groups_of(rows),
              ElementsAre("videos/VID73", "videos/VID73", "left/000", "right/000"));
  auto lists = rows_of({"full/op7", "full/op8", "half/op7"}, false);
  EXPECT_EQ(join_sources(lists, {"1", "2", "3"}, {0, 0, 1}), 1);
  EXPECT_THAT(groups_of(lists), ElementsAre("full/op7", "full/op8", "full/op7"));
}

}  // namespace
}  // namespace distal
