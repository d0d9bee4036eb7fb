#include "distal/lists/import_source.h"

#include <csignal>

#include <gmock/gmock.h>

#include "distal/base/interrupted.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A folder of empty files: nothing here opens a video.
class Files : public TemporaryFolder {
 public:
  explicit Files(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
      write(name, "");
    }
  }
};

ImportSource source(
    const std::string& path,
    const std::function<void(ImportOptions&)>& with = [](ImportOptions&) {}) {
  ImportOptions options;
  options.path = path;
  with(options);
  return read_source(options);
}

std::vector<std::string> paths(const ImportSource& source) {
  std::vector<std::string> all;
  for (const Row& row : source.list.rows) all.push_back(row.path);
  return all;
}

TEST(ImportSource, ATreeIsClassSlashVideo) {
  const Files files({"run/001.mp4", "run/002.MP4", "walk/001.avi", "walk/notes.txt",
                     "deep/er/hop/v_Hop_g01_c02.webm"});
  const auto tree = source(files.path() + "/");
  EXPECT_EQ(tree.format, "tree");
  EXPECT_THAT(paths(tree), ElementsAre("deep/er/hop/v_Hop_g01_c02.webm", "run/001.mp4",
                                       "run/002.MP4", "walk/001.avi"));
  EXPECT_EQ(tree.list.rows[0].label, "hop");
  EXPECT_EQ(tree.list.rows[0].group, "Hop_g01");
  EXPECT_EQ(tree.list.rows[1].group, "run/001");
  EXPECT_EQ(tree.list.rows[3].group, "walk/001");
}

TEST(ImportSource, AGroupIsWhatTheExpressionCaptures) {
  const Files files({"cut/p1_a.mp4", "cut/p2_a.mp4", "sew/p1_b.mp4", "sew/other.mp4"});
  const auto tree =
      source(files.path(), [](ImportOptions& options) { options.group = "^(p[0-9]+)_"; });
  EXPECT_EQ(tree.list.rows[0].group, "p1");
  EXPECT_EQ(tree.list.rows[2].group, "sew/other");
  EXPECT_EQ(tree.list.rows[3].group, "p1");
  EXPECT_THAT(tree.list.notes,
              ElementsAre("--group matches 3 of 4 rows; the others keep the group they had"));
  EXPECT_THAT(
      error_of([&] { source(files.path(), [](ImportOptions& options) { options.group = "("; }); }),
      StartsWith("--group: '(' is not a regular expression"));
}

TEST(ImportSource, RefusesTreesThatAreNone) {
  const Files loose({"a.mp4"});
  const Files empty({});
  EXPECT_THAT(error_of([&] { source(loose.path()); }), HasSubstr("lies beside the class folders"));
  EXPECT_THAT(error_of([&] { source(empty.path()); }), HasSubstr("no video below it"));
  EXPECT_THAT(error_of([&] { source(loose / "a.mp4"); }), HasSubstr("a video; give the folder"));
  EXPECT_THAT(error_of([&] { source(loose / "absent"); }),
              HasSubstr("missing; give a folder of CLASS/VIDEO, or a list (tree, csv, kinetics"));
}

TEST(ImportSource, WithoutLabelsAFolderMayBeFlatOrNested) {
  const Files files({"a.mp4", "p1/b.mp4", "p1/day 2/c.avi", "trainlist01.txt"});
  const auto pool = source(files.path(), [](ImportOptions& options) { options.unlabelled = true; });
  EXPECT_EQ(pool.format, "tree");
  EXPECT_THAT(paths(pool), ElementsAre("a.mp4", "p1/b.mp4", "p1/day 2/c.avi"));
  for (const Row& row : pool.list.rows) EXPECT_EQ(row.label, "");
  EXPECT_EQ(pool.list.rows[1].group, "p1/b");
  const auto by_folder = source(files.path(), [](ImportOptions& options) {
    options.unlabelled = true;
    options.folder_groups = true;
  });
  EXPECT_EQ(by_folder.list.rows[0].group, "a");
  EXPECT_EQ(by_folder.list.rows[1].group, "p1");
  EXPECT_EQ(by_folder.list.rows[2].group, "p1/day 2");
}

TEST(ImportSource, WithoutLabelsACsvMayNameNone) {
  const Files files({"a.mp4", "b.mp4"});
  const std::string bare = files.write("bare.csv", "path\na.mp4\nb.mp4\n");
  const std::string labelled = files.write("labelled.csv", "path,label\na.mp4,hop\nb.mp4,run\n");
  const auto unlabelled = [](ImportOptions& options) { options.unlabelled = true; };
  EXPECT_THAT(paths(source(bare, unlabelled)), ElementsAre("a.mp4", "b.mp4"));
  for (const Row& row : source(labelled, unlabelled).list.rows) EXPECT_EQ(row.label, "");
  EXPECT_THAT(error_of([&] { source(bare); }), HasSubstr("label"));
  const std::string cvat = files.write("task.xml", "<annotations></annotations>");
  EXPECT_THAT(error_of([&] { source(cvat, unlabelled); }), HasSubstr("carries labels"));
}

TEST(ImportSource, BothListsOfUcf101AreFoundFromOne) {
  const Files files(
      {"videos/Archery/v_Archery_g08_c01.mp4", "videos/Archery/v_Archery_g01_c01.avi", "lists/x"});
  files.write("lists/trainlist01.txt",
              "Archery/v_Archery_g08_c01.avi 1\nArchery/v_Archery_g09_c01.avi 1\n");
  files.write("lists/testlist01.txt", "Archery/v_Archery_g01_c01.avi\n");
  files.write("lists/trainlist02.txt", "Archery/v_Archery_g01_c01.avi 1\n");
  for (const char* path : {"lists/trainlist01.txt", "lists/testlist01.txt", "lists"}) {
    const auto ucf =
        source(files / path, [&](ImportOptions& options) { options.videos = files / "videos"; });
    EXPECT_EQ(ucf.format, "ucf101");
    EXPECT_THAT(ucf.files, SizeIs(2));
    EXPECT_THAT(paths(ucf),
                ElementsAre("Archery/v_Archery_g01_c01.avi",
                            "Archery/v_Archery_g08_c01.mp4"));  // another ending will do
    EXPECT_THAT(ucf.list.sides, ElementsAre(Side::test, Side::training));
    EXPECT_THAT(ucf.missing,
                ElementsAre(files / "lists/trainlist01.txt" + ":2: Archery/v_Archery_g09_c01.avi"));
  }
  const auto second = source(files / "lists", [&](ImportOptions& options) {
    options.videos = files / "videos";
    options.split = 2;
  });
  EXPECT_THAT(second.list.sides, ElementsAre(Side::unsaid));  // alone: no split
  EXPECT_THAT(error_of([&] { source(files / "lists/trainlist01.txt"); }),
              HasSubstr("none of its 3 videos lies in"));
}

TEST(ImportSource, AllClassesOfHmdb51AreFoundFromOne) {
  const Files files({"run/a_0.avi", "walk/b_1.avi"});
  files.write("run_test_split1.txt", "a_0.avi 1 \n");
  files.write("walk_test_split1.txt", "b_1.avi 2 \n");
  files.write("walk_test_split2.txt", "b_1.avi 1 \n");
  for (const std::string& path : {files / "run_test_split1.txt", files.path()}) {
    const auto hmdb = source(path);
    EXPECT_EQ(hmdb.format, "hmdb51");
    EXPECT_THAT(paths(hmdb), ElementsAre("run/a_0.avi", "walk/b_1.avi"));
    EXPECT_THAT(hmdb.list.sides, ElementsAre(Side::training, Side::test));
  }
}

TEST(ImportSource, ASecondListIsTheTestSet) {
  const Files files({"a.mp4", "b.mp4"});
  files.write("names.txt", "run\r\nwalk\n");
  files.write("train.txt", "a.mp4 0\n");
  files.write("val.txt", "b.mp4 1\n");
  const auto both = source(files / "train.txt", [&](ImportOptions& options) {
    options.test = files / "val.txt";
    options.classes = files / "names.txt";
  });
  EXPECT_THAT(both.list.sides, ElementsAre(Side::training, Side::test));
  EXPECT_EQ(both.list.rows[1].label, "walk");
  EXPECT_THAT(error_of([&] {
                source(files.path(), [&](ImportOptions& options) {
                  options.format = "tree";
                  options.test = files / "val.txt";
                });
              }),
              StartsWith("--test goes with one list"));
}

TEST(ImportSource, SaysWhichFormatsThereAre) {
  const Files files({"a.mp4"});
  files.write("notes.txt", "dear reader\n");
  files.write("zip.xml", std::string("PK\x03\x04", 4));
  EXPECT_THAT(error_of([&] { source(files / "notes.txt"); }),
              HasSubstr("of no known format; import reads tree, csv, kinetics, mmaction2, ucf101, "
                        "hmdb51, labelstudio, cvat"));
  EXPECT_THAT(error_of([&] { source(files / "zip.xml"); }),
              HasSubstr("a ZIP archive or a workbook; unpack it"));
  EXPECT_THAT(error_of([&] {
                source(files / "notes.txt",
                       [](ImportOptions& options) { options.format = "tree"; });
              }),
              HasSubstr("tree is a folder, not a file"));
  EXPECT_THAT(error_of([&] {
                source(files / "notes.txt",
                       [](ImportOptions& options) { options.format = "mmaction2"; });
              }),
              HasSubstr("does not end in a class number"));
}

TEST(VideoFolder, FindsVideosByTheNamesListsGiveThem) {
  const Files files({"run/abc_000001_000011.webm", "run/x.mp4", "walk/x.mp4", "walk/y.mkv"});
  VideoFolder folder(files.path());
  EXPECT_EQ(folder.find("run/x.mp4"), "run/x.mp4");
  EXPECT_EQ(folder.find("run/x.avi"), "run/x.mp4");
  EXPECT_EQ(folder.find("abc_000001_000011.mp4"), "run/abc_000001_000011.webm");
  EXPECT_EQ(folder.find("y.mkv"), "walk/y.mkv");
  EXPECT_EQ(folder.find("x.mp4"), "");      // two of that name
  EXPECT_EQ(folder.find("run/y.mkv"), "");  // a path is no bare name
  EXPECT_EQ(folder.find(files / "run/x.mp4"), files / "run/x.mp4");
  EXPECT_EQ(folder.find(""), "");
}

TEST(VideoFolder, KeepsTheNameOfASymbolicLink) {
  const Files files({"store/1.mp4", "tree/run/x"});
  std::filesystem::create_symlink(files / "store/1.mp4", files / "tree/run/a.mp4");
  EXPECT_THAT(paths(source(files / "tree")), ElementsAre("run/a.mp4"));
}

TEST(VideoFolder, NamesInWindows1252AreFoundAsBytesOrAsUtf8) {
  const Files files({"caf\xE9.mp4", "th\xC3\xA9.mp4"});
  VideoFolder folder(files.path());
  EXPECT_EQ(folder.find("caf\xE9.mp4"), "caf\xE9.mp4");
  EXPECT_EQ(folder.find("th\xE9.mp4"), "th\xC3\xA9.mp4");
  EXPECT_EQ(folder.find(std::string(5000, 'a')), "");
  EXPECT_EQ(folder.find("."), "") << "a folder is no video";
}

TEST(ImportSource, ClassFoldersThatAreNoUtf8) {
  const Files files({"\xE9t\xE9/a.mp4", "\xC3\xA9t\xC3\xA9/b.mp4", "\xE8/c.mp4"});
  const auto tree = source(files.path());
  EXPECT_THAT(classes_of(tree.list.rows).names, ElementsAre("\xC3\xA8", "\xC3\xA9t\xC3\xA9"));
  EXPECT_EQ(tree.list.rows[2].path, "\xE9t\xE9/a.mp4");
}

TEST(ImportSource, GroupsAreFoundInLinearTime) {
  const Files files({"x/" + std::string(200, 'a') + ".mp4"});
  EXPECT_THAT(
      source(files.path(), [](ImportOptions& options) { options.group = "^(a+)+$b"; }).list.notes,
      SizeIs(1));
}

TEST(ImportSource, DevicesAndMissingFoldersAreRefused) {
  const Files files({"a.mp4"});
  files.write("l.txt", "a.mp4 0\nb.mp4 1\n");
  EXPECT_THAT(error_of([] { source("/dev/zero"); }), HasSubstr("no regular file"));
  EXPECT_THAT(error_of([&] {
                source(files / "l.txt",
                       [](ImportOptions& options) { options.videos = "/no/such/folder"; });
              }),
              HasSubstr("/no/such/folder: the folder cannot be read"));
  EXPECT_THAT(error_of([] { source(std::string(5000, 'a')); }),
              HasSubstr("missing; give a folder"));
}

// However large a tree is, a signal ends the walk at the next entry: here at the first.
TEST(ImportSourceDeathTest, AWalkHearsSignals) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Files files({"run/a.mp4", "walk/b.mp4"});
  const auto stopped = [&](const auto& work) {
    catch_signals();
    std::raise(SIGINT);
    int code = 90;
    try {
      work();
    } catch (const Interrupted& stop) {
      code = stop.signal;
    } catch (const Error&) {
    }
    std::filesystem::remove_all(
        files.path());  // of this process, which ends without the test's end
    std::_Exit(code);
  };
  EXPECT_EXIT(stopped([&] { source(files.path()); }), ::testing::ExitedWithCode(SIGINT), "");
  EXPECT_EXIT(stopped([&] {
                source(files.path(), [](ImportOptions& options) { options.format = "tree"; });
              }),
              ::testing::ExitedWithCode(SIGINT), "");
  EXPECT_EXIT(stopped([&] { VideoFolder(files.path()).find("c"); }),
              ::testing::ExitedWithCode(SIGINT), "");
}

}  // namespace
}  // namespace distal
