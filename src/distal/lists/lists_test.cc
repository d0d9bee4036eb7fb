#include "distal/lists/lists.h"

#include <gmock/gmock.h>

#include "distal/base/pattern.h"
#include "distal/base/progress.h"
#include "distal/base/testing.h"
#include "distal/lists/csv.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& csv, const std::string& groups = "") {
  const TemporaryFolder folder;
  const auto path = folder.write("list.csv", csv);
  auto message = error_of([&] { read_rows(path, groups); });
  return message.starts_with(folder.path()) ? message.substr(folder.path().size() + 1) : message;
}

std::vector<Row> rows(const std::string& csv, const std::string& groups = "",
                      bool labelled = true) {
  const TemporaryFolder folder;
  return read_rows(folder.write("list.csv", csv), groups, labelled);
}

ClipList clips(const std::string& csv, const ClipOptions& options,
               const std::function<VideoInfo(const std::string&)>& probe_video) {
  const auto all = rows(csv);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  return make_clips(all, "data", options, classes_of(all), probe_video, quiet);
}

VideoInfo ten_seconds(const std::string& path) { return steady_video(250, 25, path); }

TEST(Csv, ReadsQuotesLineBreaksAndCarriageReturns) {
  const auto records = parse_csv("\xEF\xBB\xBF"
                                 "a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n\r\nlast,",
                                 "t.csv");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(records[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT(records[1].fields, ElementsAre("x, \"y\"", "two\nlines"));
  EXPECT_THAT(records[2].fields, ElementsAre("last", ""));
  EXPECT_EQ(records[2].line, 5);
}

TEST(Csv, BlanksBeforeAQuoteAreNoPartOfTheField) {
  const auto records = parse_csv("path, label\n\"x.mp4\", \"run, fast\"\n  \"y.mp4\" ,\t\" "
                                 "\"\"up\"\" \" \n a b ,it's \"so\"\n",
                                 "t.csv");
  ASSERT_EQ(records.size(), 4u);
  EXPECT_THAT(records[1].fields, ElementsAre("x.mp4", "run, fast"));
  EXPECT_THAT(records[2].fields, ElementsAre("y.mp4", " \"up\" "));
  EXPECT_THAT(records[3].fields, ElementsAre("a b", "it's \"so\""));
  EXPECT_THAT(parse_csv("a\tb\tc\n \"x\"\t\t \"z\"\n", "t.tsv")[1].fields,
              ElementsAre("x", "", "z"))
      << "a tab that separates is no blank";
}

TEST(Csv, NothingStandsBehindAClosingQuoteUnseen) {
  EXPECT_THAT(refusal("path,label\n\"a.mp4\".bak,x\n"),
              StartsWith("list.csv:2: '.bak' stands behind a closing quote"));
  EXPECT_EQ(parse_csv("x.mp4, \"Fast\" running\n", "list.csv").at(0).fields,
            (std::vector<std::string>{"x.mp4", "\"Fast\" running"}));
}

TEST(Csv, WhatIsWrittenIsReadBack) {
  for (const char* field :
       {"plain", "a,b", "a\"b", "a\nb", "a\r\nb", " blank before", "blank behind\t", "a;b", ""}) {
    const auto records = parse_csv("x,y\n" + csv_field(field) + ",z\n", "t.csv");
    EXPECT_EQ(records.at(1).fields.at(0), field);
  }
}

TEST(Lists, ReadsPathLabelAndGroupWhateverTheOrderOfColumns) {
  const auto all = rows("label,extra,video,group\r\nrun,1,a/b.mp4,g1\r\nwalk,2,\"c,d.mp4\",\r\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].path, "a/b.mp4");
  EXPECT_EQ(all[0].group, "g1");
  EXPECT_EQ(all[1].path, "c,d.mp4");
  EXPECT_EQ(all[1].group, "c,d");  // the path without its extension
  EXPECT_THAT(classes_of(all).names, ElementsAre("run", "walk"));
}

TEST(Lists, KeepsOnlyTheGroupsThatMatch) {
  const std::string csv = "path,label,group\na.mp4,x,g01\nb.mp4,x,g02\nc.mp4,y,g11\n";
  EXPECT_EQ(rows(csv, "g0").size(), 2u);
  EXPECT_EQ(rows(csv, "^g(01|11)$").size(), 2u);
  EXPECT_EQ(refusal(csv, "h"), "list.csv: no group matches 'h', the first one is 'g01'");
  EXPECT_THAT(refusal(csv, "(g"), StartsWith("groups: '(g' is not a regular expression"));
  EXPECT_THAT(refusal("path,label,group\na.mp4,x," + std::string(3000, 'a') + "!\n", "^(a+)+$"),
              HasSubstr("no group matches"))
      << "in linear time";
}

TEST(Lists, RefusesWithFileLineAndCure) {
  EXPECT_EQ(error_of([] { read_rows("no/such.csv", ""); }),
            "no/such.csv: there is no folder no; check its path, or make the lists with distal "
            "import");
  EXPECT_EQ(error_of([] { read_rows("such.csv", ""); }),
            "such.csv: no such file, give the path of a CSV with the columns path,label, or make "
            "the lists with distal import");
  EXPECT_EQ(refusal(""),
            "list.csv:1: the file is empty, the first line names the columns: path,label");
  EXPECT_EQ(refusal("path,label\n"),
            "list.csv:1: no line after the header, list at least one video");
  EXPECT_EQ(refusal("file,label\na,b\n"),
            "list.csv:1: the list needs a column path (or video), it has file, label");
  EXPECT_EQ(refusal("path,class\na,b\n"),
            "list.csv:1: the list needs a column label, it has path, class");
  EXPECT_EQ(refusal("path,label,start_s\na,b,1\n"),
            "list.csv:1: start_s and end_s come together, it has path, label, start_s");
  EXPECT_EQ(refusal("path,label\na.mp4,x\n\nb.mp4,x,y\n"),
            "list.csv:4: 3 fields where the header has 2, quote a field that contains a comma");
  EXPECT_EQ(refusal("path,label,start_s,end_s\na.mp4,x,1,2s\n"),
            "list.csv:2: end_s is '2s', write seconds as a number such as 12.5");
  EXPECT_EQ(refusal("path,label,start_frame,end_frame\na.mp4,x,1.5,2\n"),
            "list.csv:2: start_frame is '1.5', write a whole number");
  EXPECT_THAT(refusal("path,label,start_s,end_s\na.mp4,x,3,2\n"),
              StartsWith("list.csv:2: the span 3 .. 2 s is empty"));
  EXPECT_THAT(refusal("path,label,start_frame,end_frame\na.mp4,x,9,8\n"),
              StartsWith("list.csv:2: the span of frames 9 .. 8 is empty"));
  EXPECT_EQ(refusal("path,label,start_s,end_s\na.mp4,x,1,\n"),
            "list.csv:2: a span with one end, give both ends or neither (the whole video)");
  EXPECT_EQ(refusal("path,label,start_s,end_s,start_frame,end_frame\na.mp4,x,1,2,3,4\n"),
            "list.csv:2: a span in seconds and one in frames, leave one of them empty");
  for (const char* span : {"nan,2", "-1,2", "inf,inf", "2,nan", "1e400,2"})
    EXPECT_THAT(refusal(fmt::format("path,label,start_s,end_s\na.mp4,x,{}\n", span)),
                StartsWith("list.csv:2: "))
        << span;
  for (const char* span : {"99999999999999999999,2", "0,99999999999999999999", "-1,2"})
    EXPECT_THAT(refusal(fmt::format("path,label,start_frame,end_frame\na.mp4,x,{}\n", span)),
                StartsWith("list.csv:2: "))
        << span;
  EXPECT_THAT(refusal("path,label\n" + std::string(5000, 'a') + ",x\n"),
              StartsWith("list.csv:2: a path of 5000 characters"));
  EXPECT_EQ(refusal("path,label\na.mp4, \n"),
            "list.csv:2: empty label, name a class or remove the line");
  EXPECT_EQ(refusal("path,label\n,x\n"), "list.csv:2: empty path, name a video or remove the line");
  EXPECT_THAT(refusal("path,label\na.mp4,x\nb.mp4,\"x\nc.mp4,y\n"),
              StartsWith("list.csv:3: a quote opens here and never closes"));
}

TEST(Lists, APoolNeedsNoLabels) {
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  for (const char* csv :
       {"path\na.mp4\nb.mp4\n", "path,label\na.mp4,\nb.mp4, \n", "path,label\na.mp4,x\nb.mp4,\n"}) {
    const auto all = rows(csv, "", false);
    ASSERT_EQ(all.size(), 2u) << csv;
    EXPECT_EQ(all[1].label, "");
    for (const char* unit : {"video", "segment"}) {
      const auto list = make_clips(all, "data", {unit, 10, 10}, {{"x"}}, ten_seconds, quiet);
      ASSERT_EQ(list.clips.size(), 2u) << csv << unit;
      EXPECT_EQ(list.clips[1].label, -1);
    }
  }
}

TEST(Lists, FilesOfOneNameInTwoFoldersAreTwoGroups) {
  const auto all = rows("path,label\nrun/0001.mp4,run\n./walk/0001.mp4,walk\nwalk/0001.avi,walk\n");
  EXPECT_EQ(all[0].group, "run/0001");
  EXPECT_EQ(all[1].group, "walk/0001");
  EXPECT_EQ(all[2].group, "walk/0001");
}

TEST(Lists, AClipListedTwiceIsKeptOnce) {
  const auto copies = [](const std::string& path) {
    VideoInfo info = steady_video(250, 25, path);
    if (path == "data/copy.mp4") info.id = "id of data/a.mp4";
    return info;
  };
  const auto whole = clips("path,label\na.mp4,x\nb.mp4,y\na.mp4,x\ncopy.mp4,x\n", {}, copies);
  ASSERT_EQ(whole.clips.size(), 2u);
  EXPECT_EQ(whole.duplicates, 2);
  EXPECT_EQ(whole.clips[0].video, "data/a.mp4");
  EXPECT_EQ(whole.clips[1].video, "data/b.mp4");
  ASSERT_EQ(whole.origins.size(), 2u);
  EXPECT_EQ(whole.origins[1].row, 1);
  EXPECT_EQ(clips("path,label\na.mp4,x\ncopy.mp4,x\n", {"segment", 4, 4}, copies).duplicates, 3);
  EXPECT_EQ(clips("path,label,start_s,end_s\na.mp4,x,0,4\na.mp4,x,4,8\n", {}, copies).duplicates,
            0);
}

// What a list whose clips have two labels is refused with, without the folder it lay in.
std::string two_labels(const std::string& csv, const ClipOptions& options = {}) {
  const auto copies = [](const std::string& path) {
    VideoInfo info = steady_video(250, 25, path);
    if (path == "data/copy.mp4") info.id = "id of data/a.mp4";
    return info;
  };
  return Pattern("[^ ]*list\\.csv", "t")
      .replaced(error_of([&] { clips(csv, options, copies); }), "LIST");
}

TEST(Lists, OneClipWithTwoLabelsIsRefusedWithBothRows) {
  EXPECT_EQ(two_labels("path,label\na.mp4,cat\na.mp4,dog\n"),
            "LIST:3: data/a.mp4, the whole video, has the label 'dog' here and 'cat' at LIST:2; a "
            "clip has one label, several are not learned: "
            "leave one of the rows out, or call both by one class such as 'cat+dog'");
  EXPECT_THAT(two_labels("path,label\na.mp4,cat\nb.mp4,cat\ncopy.mp4,dog\n"),
              StartsWith("LIST:4: data/copy.mp4 (data/a.mp4 has the same content), 0.000 .. 10.000 "
                         "s, has the label 'dog' here and 'cat' at LIST:2"));
  EXPECT_THAT(two_labels("path,label,start_s,end_s\na.mp4,cat,1,2\na.mp4,dog,1,2\n"),
              HasSubstr("1.000 .. 2.000 s, has the label 'dog' here and 'cat' at LIST:2"));
  EXPECT_THAT(two_labels("path,label,start_frame,end_frame\na.mp4,cat,5,9\na.mp4,dog,5,9\n"),
              HasSubstr("frames 5 .. 9, has the label 'dog'"));
  EXPECT_THAT(two_labels("path,label,start_s,end_s\na.mp4,cat,1,2\na.mp4,unlabelled,1,2\n"),
              HasSubstr("'unlabelled' here and 'cat'"));
}

TEST(Lists, VideosOfUnknownContentAreTheirPaths) {
  const auto to_come = [](const std::string& path) {
    VideoInfo info = steady_video(250, 25, path);
    info.id.clear();
    return info;
  };
  EXPECT_EQ(std::ssize(clips("path,label\na.mp4,x\nb.mp4,y\n", {}, to_come).clips), 2);
  EXPECT_THAT(
      error_of([&] { clips("path,label,start_s,end_s\na.mp4,x,0,10\na.mp4,y,,\n", {}, to_come); }),
      HasSubstr("has the label 'y' here and 'x'"));
}

TEST(Lists, TwoLabelsAreFoundHoweverTheSameRangeIsWritten) {
  const std::string header = "path,label,start_s,end_s,start_frame,end_frame\n";
  EXPECT_THAT(two_labels(header + "a.mp4,cat,0,10,,\na.mp4,dog,,,,\n"),
              HasSubstr("'dog' here and 'cat'"));
  EXPECT_THAT(two_labels(header + "a.mp4,cat,0,2,,\na.mp4,dog,,,0,49\n"),
              HasSubstr("0.000 .. 2.000 s, has the label 'dog' here and 'cat'"));
  EXPECT_THAT(two_labels(header + "a.mp4,cat,8,10,,\ncopy.mp4,dog,8,99,,\n"),
              HasSubstr("8.000 .. 10.000 s"));
  EXPECT_THAT(two_labels(header + "a.mp4,cat,1.0001,2,,\na.mp4,dog,1.0002,2,,\n"),
              HasSubstr("'dog' here and 'cat'"));
  EXPECT_EQ(two_labels(header + "a.mp4,cat,1,2,,\na.mp4,dog,1.5,2,,\n"), "")
      << "they overlap and are two clips";
  for (const char* unit : {"video", "segment"})
    EXPECT_THAT(
        two_labels(header + "a.mp4,cat,0,4,,\na.mp4,dog,0,4,,\na.mp4,dog,4,8,,\n", {unit, 4, 4}),
        HasSubstr("'dog' here and 'cat'"))
        << unit;
  EXPECT_THAT(two_labels(header + "a.mp4,cat,0,4,,\ncopy.mp4,dog,0,5,,\n", {"segment", 4, 4}),
              HasSubstr("0.000 .. 4.000 s, has the label 'dog' here and 'cat'"));
}

TEST(Lists, ACopyLendsItsLabelToARowWithoutOne) {
  const auto all = rows("path,label\na.mp4,\na.mp4,x\n", "", false);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const auto list = make_clips(all, "data", {}, {{"x"}}, ten_seconds, quiet);
  ASSERT_EQ(list.clips.size(), 1u);
  EXPECT_EQ(list.clips[0].label, 0);
}

TEST(Lists, RowsAddUp) {
  const auto list = clips("path,label,start_s,end_s\na.mp4,x,0,5\na.mp4,x,0,5\na.mp4,y,11,12\nbad."
                          "mp4,x,,\nbad.mp4,y,0,1\na.mp4,unlabelled,5,6\n",
                          {}, [](const std::string& path) {
                            if (path == "data/bad.mp4") fail("{}: no video", path);
                            return ten_seconds(path);
                          });
  EXPECT_EQ(list.refused_rows, 3);
  EXPECT_EQ(std::ssize(list.clips) + list.duplicates + list.refused_rows + list.unlabelled_segments,
            6);
}

TEST(Lists, SpreadsheetsMaySeparateByOtherSigns) {
  for (const char* csv :
       {"path;label;group\na,b.mp4;run;p1\n", "path\tlabel\tgroup\na,b.mp4\trun\tp1\n",
        "\xEF\xBB\xBFpath;label;group\r\na,b.mp4 ; run ;p1\r\n",
        "\"path\";\"label\";\"group\"\r\"a,b.mp4\";run;p1\r",
        "label,path,group\nrun,\"a,b.mp4\",p1\n"}) {
    const auto all = rows(csv);
    ASSERT_EQ(all.size(), 1u) << csv;
    EXPECT_EQ(all[0].path, "a,b.mp4") << csv;
    EXPECT_EQ(all[0].label, "run") << csv;
    EXPECT_EQ(all[0].group, "p1") << csv;
    EXPECT_TRUE(all[0].grouped) << csv;
  }
}

TEST(Lists, NamesThatAreNoUtf8AreWindowsNames) {
  const auto all = rows(
      "path,label,group\n\xE9t\xE9/a.mp4,\xE9t\xE9,p\xE9\n\xE9t\xE9/b.mp4,\xC3\xA9t\xC3\xA9,\n");
  EXPECT_EQ(all[0].path, "\xE9t\xE9/a.mp4");  // the file's own bytes
  EXPECT_EQ(all[0].group, "p\xC3\xA9");
  EXPECT_EQ(all[1].group, "\xC3\xA9t\xC3\xA9/b");
  EXPECT_THAT(classes_of(all).names, ElementsAre("\xC3\xA9t\xC3\xA9"));
}

TEST(Lists, AFileNamedInUtf8IsFoundFromAListInWindows1252) {
  const TemporaryFolder folder;
  const auto all = rows("path,label\ncaf\xE9.mp4,x\nno\xE9.mp4,x\n");
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  folder.write("caf\xC3\xA9.mp4", "");
  const auto list = make_clips(all, folder.path(), {}, classes_of(all), ten_seconds, quiet);
  EXPECT_EQ(list.clips[0].video, folder / "caf\xC3\xA9.mp4");
  EXPECT_EQ(list.clips[1].video, folder / "no\xE9.mp4") << "there is none: as the list has it";
}

TEST(Lists, AVideoIsAClipFromItsStartToItsEnd) {
  const auto list = clips("path,label\na.mp4,run\nsub/b.mp4,hop\n", {}, ten_seconds);
  ASSERT_EQ(list.clips.size(), 2u);
  EXPECT_EQ(list.clips[0].video, "data/a.mp4");
  EXPECT_EQ(list.clips[0].video_id, "id of data/a.mp4");
  EXPECT_EQ(list.clips[0].label, 1);
  EXPECT_EQ(list.clips[0].start_s, 0);
  EXPECT_EQ(list.clips[0].end_s, 10);
  EXPECT_EQ(list.clips[1].group, "sub/b");
  EXPECT_EQ(list.clips[1].label, 0);
}

TEST(Lists, SpansOfFramesAreInclusiveAndFollowTheFramesTimes) {
  const auto uneven = [](const std::string& path) {
    VideoInfo info = steady_video(4, 1, path);
    info.time_s = {0, 0.5, 2, 2.25};
    info.duration_s = 3;
    return info;
  };
  const auto list = clips("video,start_frame,end_frame,label\na.mp4,0,1,x\na.mp4,2,3,y\na.mp4,1,"
                          "9223372036854775807,x\n",
                          {}, uneven);
  ASSERT_EQ(list.clips.size(), 3u);
  EXPECT_EQ(list.clips[0].start_s, 0);
  EXPECT_EQ(list.clips[0].end_s, 2);  // where frame 2 begins
  EXPECT_EQ(list.clips[1].start_s, 2);
  EXPECT_EQ(list.clips[1].end_s, 3);  // where the last frame ends
  EXPECT_EQ(list.clips[2].start_s, 0.5);
  EXPECT_EQ(list.clips[2].end_s, 3);
}

TEST(Lists, ASegmentTakesTheLabelThatCoversItsMiddle) {
  ClipOptions options{"segment", 4, 4};
  // 10 s: [0,4) middle 2, [4,8) middle 6, [8,10) middle 9, kept because it is half a segment long.
  const auto list =
      clips("path,label,start_s,end_s\na.mp4,x,1,3\na.mp4,y,7,30\n", options, ten_seconds);
  ASSERT_EQ(list.clips.size(), 2u);
  EXPECT_EQ(list.unlabelled_segments, 1);
  EXPECT_EQ(list.clips[0].start_s, 0);
  EXPECT_EQ(list.clips[0].end_s, 4);
  EXPECT_EQ(list.clips[0].label, 0);
  EXPECT_EQ(list.clips[1].start_s, 8);
  EXPECT_EQ(list.clips[1].end_s, 10);
  EXPECT_EQ(list.clips[1].label, 1);
}

TEST(Lists, APartMarkedUnlabelledIsNoClassAndGivesNoClip) {
  const std::string csv =
      "path,label,start_s,end_s\na.mp4,x,0,4\na.mp4,unlabelled,4,8\na.mp4,y,8,10\n";
  EXPECT_THAT(classes_of(rows(csv)).names, ElementsAre("x", "y"));
  for (const char* unit : {"video", "segment"}) {
    const auto list = clips(csv, {unit, 4, 4}, ten_seconds);
    ASSERT_EQ(list.clips.size(), 2u);
    EXPECT_EQ(list.clips[1].label, 1);
    EXPECT_EQ(list.unlabelled_segments, 1);
  }
}

TEST(Lists, TheLastSegmentIsKeptFromHalfItsLengthOn) {
  const auto count = [](double length_s, double stride_s) {
    return clips("path,label\na.mp4,x\n", {"segment", length_s, stride_s}, ten_seconds)
        .clips.size();
  };
  EXPECT_EQ(count(4, 4), 3u);      // rest 2 s
  EXPECT_EQ(count(4.5, 4.5), 2u);  // rest 1 s
  EXPECT_EQ(count(5, 5), 2u);
  EXPECT_EQ(count(4, 2), 4u);  // the window [6, 10) reaches the end
  EXPECT_EQ(count(2, 5), 2u);
  EXPECT_EQ(count(60, 60), 1u);  // a short video keeps its first segment
}

TEST(Lists, PutsUnreadableVideosAsideWithTheReason) {
  const auto probe_video = [](const std::string& path) {
    if (path == "data/b.mp4") fail("{}: not a video", path);
    return ten_seconds(path);
  };
  const auto list =
      clips("path,label,start_s,end_s\na.mp4,x,0,5\nb.mp4,x,0,5\nc.mp4,y,11,12\n", {}, probe_video);
  ASSERT_EQ(list.clips.size(), 1u);
  ASSERT_EQ(list.quarantined.size(), 2u);
  EXPECT_EQ(list.quarantined[0].reason, "data/b.mp4: not a video");
  EXPECT_THAT(
      list.quarantined[1].reason,
      HasSubstr("list.csv:4: the span begins after the end of the video (250 frames, 10.000 s)"));
}

TEST(Lists, WhatAVideoDoesToTheProgramPutsItAside) {
  const auto probe_video = [](const std::string& path) -> VideoInfo {
    if (path == "data/a.mp4") throw std::bad_alloc();
    if (path == "data/b.mp4")
      throw std::filesystem::filesystem_error("stat", path,
                                              std::make_error_code(std::errc::permission_denied));
    return ten_seconds(path);
  };
  const auto list = clips("path,label\na.mp4,x\nb.mp4,x\nc.mp4,x\n", {}, probe_video);
  EXPECT_EQ(list.clips.size(), 1u);
  ASSERT_EQ(list.quarantined.size(), 2u);
  EXPECT_THAT(list.quarantined[0].reason, StartsWith("data/a.mp4: no memory left for its frames"));
  EXPECT_THAT(list.quarantined[1].reason, StartsWith("data/b.mp4: "));
}

TEST(Lists, ProbesEachVideoOnce) {
  std::atomic<int> probes = 0;
  const auto probe_video = [&](const std::string& path) {
    ++probes;
    return ten_seconds(path);
  };
  clips("path,label,start_s,end_s\na.mp4,x,0,5\nb.mp4,x,0,5\na.mp4,y,5,10\n", {}, probe_video);
  EXPECT_EQ(probes, 2);
}

TEST(Lists, ABugWhileProbingIsNotTakenForABadVideo) {
  const auto probe_video = [](const std::string& path) -> VideoInfo {
    throw std::logic_error(path);
  };
  EXPECT_THROW(clips("path,label\na.mp4,x\nb.mp4,x\nc.mp4,x\n", {}, probe_video), std::logic_error);
}

TEST(Lists, RefusesAnUnknownLabelWithItsLine) {
  const auto all = rows("path,label\na.mp4,jump\nb.mp4,jmup\n");
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const auto message = error_of([&] {
    make_clips(all, "data", {}, {{"jump", "run"}}, ten_seconds, quiet);
  });
  EXPECT_THAT(
      message,
      HasSubstr(
          "list.csv:3: unknown label 'jmup', did you mean 'jump'? the classes are jump, run"));
}

TEST(Lists, ReadsTheSharedLists) {
  const std::string data = DISTAL_SOURCE_DIR "/../shared/data";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "the shared data sets are not here";
  EXPECT_EQ(read_rows(data + "/ucf101-8/train.csv", "").size(), 576u);
  EXPECT_EQ(classes_of(read_rows(data + "/ucf101-8/test.csv", "")).size(), 8);
  const auto phases = read_rows(data + "/cholect50-val/annotations.csv", "");
  EXPECT_EQ(classes_of(phases).size(), 7);
  EXPECT_EQ(phases[0].group, "videos/VID68");
  EXPECT_EQ(phases[0].end_frame, 11);
}

}  // namespace
}  // namespace distal
