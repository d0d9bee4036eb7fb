#include "distal/lists/foreign_lists.h"

#include <map>

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr double kEnd = std::numeric_limits<double>::infinity();

// Finds only what the map holds.
FindVideo among(std::map<std::string, std::string> videos) {
  return [videos](const std::string& name) { return videos.contains(name) ? videos.at(name) : ""; };
}

std::vector<std::string> paths(const ForeignList& list) {
  std::vector<std::string> all;
  for (const Row& row : list.rows) all.push_back(row.path);
  return all;
}

std::vector<std::string> labels(const ForeignList& list) {
  std::vector<std::string> all;
  for (const Row& row : list.rows) all.push_back(row.label);
  return all;
}

std::vector<std::pair<int64_t, int64_t>> frames(const ForeignList& list) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (const Row& row : list.rows) all.emplace_back(row.start_frame, row.end_frame);
  return all;
}

using Frames = std::pair<int64_t, int64_t>;

std::vector<std::string> tallies(const ForeignList& list) {
  std::vector<std::string> all;
  for (const Tally& tally : list.tallies) all.push_back(tally.text());
  return all;
}

TEST(TallyTest, AddsUpAndNamesTheFirstOfEachReason) {
  Tally tally("rows");
  EXPECT_EQ(tally.text(), "0 rows: 0 read");
  tally.read(3);
  tally.leave_out("without a label", "k.csv:2");
  tally.leave_out("unused");
  tally.leave_out("without a label", "k.csv:9");
  EXPECT_EQ(tally.text(), "6 rows: 3 read, 2 without a label (the first: k.csv:2), 1 unused");
  Tally more("rows");
  more.leave_out("unused", "", 4);
  tally.append(more);
  EXPECT_EQ(tally.total(), 10);
  for (int i = 0; i < 20; ++i) tally.leave_out(fmt::format("reason {}", i));
  EXPECT_THAT(tally.text(), HasSubstr("1 reason 9, 10 for 10 other reasons"));
}

// ---- Kinetics ---------------------------------------------------------------

const char* kKinetics = "label,youtube_id,time_start,time_end,split,is_cc\n"
                        "testifying,---QUuC4vJs,84,94,train,0\r\n"
                        "\"air drumming\",_dbcJuKJQNs,40,50,val,0\n"
                        "washing feet,--GkrdYZ9Tc,0,10,,0\n";

TEST(Kinetics, TakesCutVideosWholeAndWholeVideosAsSpans) {
  const auto find =
      among({{"---QUuC4vJs_000084_000094.mp4", "testifying/---QUuC4vJs_000084_000094.mp4"},
             {"_dbcJuKJQNs.mp4", "_dbcJuKJQNs.mp4"}});
  const auto list = read_kinetics(kKinetics, "k.csv", find);
  EXPECT_THAT(paths(list), ElementsAre("testifying/---QUuC4vJs_000084_000094.mp4",
                                       "_dbcJuKJQNs.mp4", "--GkrdYZ9Tc_000000_000010.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("testifying", "air drumming", "washing feet"));
  EXPECT_THAT(list.sides, ElementsAre(Side::training, Side::test, Side::unsaid));
  EXPECT_EQ(list.rows[0].group, "---QUuC4vJs");
  EXPECT_EQ(list.rows[0].start_s, 0);
  EXPECT_EQ(list.rows[0].end_s, kEnd);
  EXPECT_EQ(list.rows[1].start_s, 40);
  EXPECT_EQ(list.rows[1].end_s, 50);
  EXPECT_EQ(list.rows[2].place, "k.csv:4");
}

TEST(Kinetics, LeavesOutRowsWithoutALabelAndSaysSo) {
  const auto list = read_kinetics(
      "label,youtube_id,time_start,time_end,split\n,abc,0,10,test\nrun,def,0,10,test\n", "k.csv",
      among({}));
  EXPECT_THAT(labels(list), ElementsAre("run"));
  EXPECT_THAT(tallies(list), ElementsAre("2 rows: 1 read, 1 without a label (k.csv:2)"));
}

TEST(Kinetics, RefusesWithItsLine) {
  const auto refusal = [](const std::string& text) {
    return error_of([&] { read_kinetics(text, "k.csv", among({})); });
  };
  EXPECT_THAT(refusal("youtube_id,time_start,time_end\na,0,1\n"),
              StartsWith("k.csv:1: a Kinetics list needs a column label, it has youtube_id"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,x,1\n"),
              StartsWith("k.csv:2: time_start is 'x'"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,2,1\n"),
              StartsWith("k.csv:2: time_end 1 is not after time_start 2"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,2\n"),
              StartsWith("k.csv:2: 3 fields where the header has 4"));
  for (const char* absurd : {"1e300", "nan", "inf", "-1", "99999999999999999999999", "1e999", ""})
    EXPECT_THAT(
        refusal(fmt::format("label,youtube_id,time_start,time_end\nrun,a,0,{}\n", absurd)),
        StartsWith(fmt::format(
            "k.csv:2: time_end is '{}', write seconds as a number from 0 to 1000000", absurd)));
  EXPECT_THAT(
      refusal("label,youtube_id,time_start,time_end\nrun," + std::string(300, 'a') + ",0,1\n"),
      StartsWith("k.csv:2: a youtube_id of 300 characters"));
}

// ---- MMAction2 --------------------------------------------------------------

TEST(MMAction2, ReadsPathAndNumber) {
  const auto list =
      read_mmaction2("some/path/000.mp4 1\r\nsome/my clip.mp4 0\n\n", "train.txt", {});
  EXPECT_THAT(paths(list), ElementsAre("some/path/000.mp4", "some/my clip.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("1", "0"));
  EXPECT_EQ(list.rows[0].group, "some/path/000");
  EXPECT_THAT(list.notes, SizeIs(1));
}

TEST(MMAction2, NamesClassesFromTheirFile) {
  const auto list =
      read_mmaction2("a.mp4 1\nv_Archery_g03_c02.avi 0\n", "train.txt", {"archery", "bowling"});
  EXPECT_THAT(labels(list), ElementsAre("bowling", "archery"));
  EXPECT_EQ(list.rows[1].group, "Archery_g03");
  EXPECT_THAT(list.notes, IsEmpty());
  EXPECT_THAT(error_of([] {
                read_mmaction2("a.mp4 2\n", "t.txt", {"x", "y"});
              }),
              StartsWith("t.txt:1: class number 2, but there are 2 class names"));
}

TEST(MMAction2, RefusesFramesAndSeveralLabels) {
  const auto refusal = [](const std::string& text) {
    return error_of([&] { read_mmaction2(text, "t.txt", {}); });
  };
  EXPECT_THAT(
      refusal("a.mp4 1\nsome/directory-1 163 1\n"),
      StartsWith("t.txt:2: `path frames label` lists folders of frames, which are no videos"));
  EXPECT_THAT(refusal("a.mp4 1 3\n"), StartsWith("t.txt:1: several labels"));
  EXPECT_THAT(refusal("a.mp4\n"), StartsWith("t.txt:1: 'a.mp4' does not end in a class number"));
}

// ---- UCF101, HMDB51 ---------------------------------------------------------

TEST(Ucf101, ReadsBothKindsOfList) {
  const auto train = read_ucf101("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi "
                                 "1\nHandstandPushups/v_HandStandPushups_g25_c07.avi 37\n",
                                 "trainlist01.txt", Side::training);
  EXPECT_THAT(paths(train), ElementsAre("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
                                        "HandstandPushups/v_HandStandPushups_g25_c07.avi"));
  EXPECT_THAT(labels(train), ElementsAre("ApplyEyeMakeup", "HandstandPushups"));
  EXPECT_EQ(train.rows[0].group, "ApplyEyeMakeup_g08");
  EXPECT_THAT(train.sides, ElementsAre(Side::training, Side::training));
  const auto test =
      read_ucf101("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n", "testlist01.txt", Side::test);
  EXPECT_THAT(test.sides, ElementsAre(Side::test));
  EXPECT_THAT(error_of([] { read_ucf101("1 ApplyEyeMakeup\n", "classInd.txt", Side::unsaid); }),
              StartsWith("classInd.txt:1: '1 ApplyEyeMakeup' is not of UCF101"));
}

TEST(Hmdb51, ReadsOneClassOfASplit) {
  const auto list =
      read_hmdb51("April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 "
                  "\n#122_Cleaning_Up_brush_hair_u_cm_np1_le_med_10.avi 2 \nunused_0.avi 0 \n",
                  "brush_hair_test_split1.txt", "brush_hair");
  EXPECT_THAT(paths(list),
              ElementsAre("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
                          "brush_hair/#122_Cleaning_Up_brush_hair_u_cm_np1_le_med_10.avi"));
  EXPECT_THAT(labels(list), ElementsAre("brush_hair", "brush_hair"));
  EXPECT_THAT(list.sides, ElementsAre(Side::training, Side::test));
  EXPECT_EQ(list.rows[0].group, "April_09_brush_hair_u_nm_np1_ba_goo");
  EXPECT_EQ(list.rows[1].group, "#122_Cleaning_Up_brush_hair_u_cm_np1_le_med");
  EXPECT_THAT(error_of([] { read_hmdb51("a.avi 3\n", "x.txt", "x"); }),
              StartsWith("x.txt:1: 'a.avi 3' is not of an HMDB51 split"));
}

// ---- Label Studio -----------------------------------------------------------

const char* kLabelStudio = R"([
 {"id": 7, "data": {"video": "/data/upload/3/0a1b2c3d-op%201.mp4"}, "annotations": [
   {"was_cancelled": true, "result": []},
   {"result": [
     {"type": "timelinelabels",
      "value": {"ranges": [{"start": 1, "end": 10}], "timelinelabels": ["cut"]}},
     {"type": "timelinelabels",
      "value": {"ranges": [{"start": 11, "end": 11}], "timelinelabels": ["sew"]}},
     {"type": "videorectangle", "value": {"sequence": []}}]}], "predictions": [{"result": [
     {"type": "timelinelabels",
      "value": {"ranges": [{"start": 1, "end": 99}], "timelinelabels": ["guessed"]}}]}]},
 {"id": 8, "data": {"video": "http://host/data/local-files/?d=ward/op2.mp4"}, "annotations": [
   {"result": [{"type": "choices", "value": {"choices": ["rest"]}}]}]},
 {"id": 9, "data": {"video": "s3://bucket/op3.mp4"}, "annotations": []}
])";

TEST(LabelStudio, RangesCountFromOneAndIncludeBothEnds) {
  const auto list =
      read_label_studio(kLabelStudio, "export.json",
                        among({{"op 1.mp4", "op 1.mp4"}, {"ward/op2.mp4", "ward/op2.mp4"}}), 0);
  EXPECT_THAT(paths(list), ElementsAre("op 1.mp4", "op 1.mp4", "ward/op2.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("cut", "sew", "rest"));
  EXPECT_THAT(frames(list), ElementsAre(Frames{0, 9}, Frames{10, 10}, Frames{-1, -1}));
  EXPECT_EQ(list.rows[0].group, "op 1");
  EXPECT_EQ(list.rows[0].place, "export.json: task 7");
  ASSERT_THAT(list.notes, SizeIs(2));
  EXPECT_THAT(list.notes[0], StartsWith("1 tasks have several annotations"));
  EXPECT_THAT(list.notes[1], HasSubstr("--frame-rate"));
  EXPECT_THAT(tallies(list), ElementsAre("3 tasks: 2 read, 1 without an answer (task 9)",
                                         "4 regions: 3 read, 1 videorectangle (boxes)"));
}

TEST(LabelStudio, ADeclaredRateMakesSecondsOfFrames) {
  const auto list = read_label_studio(kLabelStudio, "export.json", among({}), 10);
  EXPECT_EQ(list.rows[0].start_frame, -1);
  EXPECT_EQ(list.rows[0].start_s, 0);
  EXPECT_EQ(list.rows[0].end_s, 1);
  EXPECT_EQ(list.rows[1].start_s, 1);
  EXPECT_EQ(list.rows[1].end_s, 1.1);
  EXPECT_EQ(list.rows[0].path, "0a1b2c3d-op 1.mp4");  // missing: named as the export has it
}

TEST(LabelStudio, TheGroundTruthWins) {
  const auto list = read_label_studio(R"({"id": 1, "data": {"video": "a.mp4"}, "annotations": [
     {"result": [{"type": "choices", "value": {"choices": ["x"]}}]},
     {"ground_truth": true, "result": [{"type": "choices", "value": {"choices": ["y"]}}]}]})",
                                      "e.json", among({}), 0);
  EXPECT_THAT(labels(list), ElementsAre("y"));
}

TEST(LabelStudio, LabelsWithStartAndEndAreSeconds) {
  const auto list =
      read_label_studio(R"({"id": 1, "data": {"video": "a.mp4"}, "annotations": [{"result": [
     {"type": "labels",
      "value": {"start": 0.1, "end": 0.5, "channel": 0, "labels": ["walk"]}, "to_name": "audio"},
     {"type": "labels", "value": {"labels": ["walk"]}}]}]})",
                        "e.json", among({}), 0);
  ASSERT_THAT(labels(list), ElementsAre("walk"));
  EXPECT_EQ(list.rows[0].start_s, 0.1);
  EXPECT_EQ(list.rows[0].end_s, 0.5);
  EXPECT_THAT(tallies(list),
              ElementsAre("1 tasks: 1 read", "2 regions: 1 read, 1 labels without start and end"));
}

std::string task(const std::string& annotation, const std::string& data = R"({"video": "a.mp4"})",
                 int id = 5) {
  return fmt::format(R"({{"id": {}, "data": {}, "annotations": [{{"result": [{}]}}]}})", id, data,
                     annotation);
}

// One task that cannot be read beside one that can: what the tally says of it. Alone it ends the
// import with the same reason.
std::string left_out(const std::string& annotation,
                     const std::string& data = R"({"video": "a.mp4"})") {
  const std::string good =
      task(R"({"type": "choices", "value": {"choices": ["good"]}})", R"({"video": "b.mp4"})", 1);
  const std::string bad = task(annotation, data);
  const auto list = read_label_studio("[" + bad + "," + good + "]", "e.json", among({}), 0);
  EXPECT_THAT(labels(list), ElementsAre("good")) << annotation;
  EXPECT_EQ(list.tallies.at(0).total(), 2) << annotation;
  const std::string why = list.tallies[0].text();
  EXPECT_THAT(why, StartsWith("2 tasks: 1 read, 1 "));
  const std::string reason = why.substr(std::string("2 tasks: 1 read, 1 ").size());
  EXPECT_THAT(error_of([&] { read_label_studio("[" + bad + "]", "e.json", among({}), 0); }),
              StartsWith("e.json: no task to read: 1 tasks: 0 read, 1 " + reason));
  return reason;
}

TEST(LabelStudio, ATaskThatCannotBeReadStopsOnlyItself) {
  EXPECT_EQ(left_out(R"({"type": "timelinelabels", "value": {"ranges": [{"start": 1, )"
                     R"("end": 2}], "timelinelabels": ["x", "y"]}})"),
            R"(with several labels on one span, )"
            R"(where distal learns one; leave one (task 5: ["x","y"]))");
  EXPECT_EQ(left_out(R"({"type": "choices", "value": {"choices": ["x"]}}, )"
                     R"({"type": "choices", "from_name": "mood", )"
                     R"("value": {"choices": ["y"]}})"),
            "with two classes for the whole video, where distal learns one; leave one (task 5: x "
            "and y (mood))");
  EXPECT_EQ(left_out(R"({"type": "choices", "value": {"choices": ["x", "y"]}})"),
            R"(with two classes for the whole video, )"
            R"(where distal learns one; leave one (task 5: ["x","y"]))");
  EXPECT_EQ(left_out(R"({"type": "timelinelabels", "value": {"ranges": [{"start": null, )"
                     R"("end": 2}], "timelinelabels": ["x"]}})"),
            "with a range whose ends are not frames counted from 1 (task 5: start is null)");
  for (const char* start : {"0", "-3", "1.5", "1e300", "\"2\"", "true", "[1]"}) {
    EXPECT_THAT(
        left_out(fmt::format(R"({{"type": "timelinelabels", "value": {{"ranges": [{{"start": {}, )"
                             R"("end": 2}}], "timelinelabels": ["x"]}}}})",
                             start)),
        StartsWith("with a range whose ends are not frames counted from 1 (task 5: start is "))
        << start;
  }
  EXPECT_EQ(left_out(R"({"type": "timelinelabels", "value": {"ranges": [{"start": 3, )"
                     R"("end": 2}], "timelinelabels": ["x"]}})"),
            "with a range that ends before it starts (task 5: frames 3 .. 2)");
  EXPECT_EQ(left_out(R"({"type": "labels", "value": {"start": 3, "end": 2, "labels": ["x"]}})"),
            "with a range that ends before it starts (task 5: 3 .. 2 s)");
  EXPECT_THAT(left_out(R"({"type": "labels", "value": {"start": 3, "end": 1e300, )"
                       R"("labels": ["x"]}})"),
              StartsWith("with a range whose ends are not seconds (task 5: end is "));
  EXPECT_THAT(left_out(R"({"type": "timelinelabels", "value": {"ranges": [], )"
                       R"("timelinelabels": ["x"]}})"),
              StartsWith("with timelinelabels that have no range"));
  EXPECT_THAT(left_out(R"({"type": "choices", "value": {"choices": [7]}})"),
              StartsWith("with a label that is no text"));
  EXPECT_THAT(left_out(R"({"type": "choices", "value": {"choices": "x"}})"),
              StartsWith("with a span that has no label"));
  EXPECT_THAT(
      left_out(R"({"type": "choices", "value": {"choices": ["x"]}})", R"({"clip": "a.mp4"})"),
      StartsWith("without a key `video` in their data"));
  EXPECT_THAT(left_out(R"({"type": "choices", "value": {"choices": ["x"]}})", R"({"video": 7})"),
              StartsWith("without a key `video` in their data"));
  EXPECT_EQ(left_out(R"({"type": "choices", "value": {"choices": ["x"]}})",
                     R"({"video": ")" + std::string(200'000, '/') + R"("})"),
            "whose video has a path that no file has (task 5: 200000 characters)");
  EXPECT_EQ(left_out(""), "without an answer (task 5)");
  EXPECT_EQ(left_out("7, null, [], {}"), "without an answer about time or class (task 5)");
}

TEST(LabelStudio, WhatIsNotReadIsNamedWithItsCount) {
  const std::string box = R"({"type": "videorectangle", "value": {"sequence": [], )"
                          R"("labels": ["Car"]}})";
  const auto refusal = error_of([&] {
    read_label_studio(
        "[" + task(box + "," + box + R"(, {"type": "textarea", "value": {"text": ["x"]}})") + "]",
        "e.json", among({}), 0);
  });
  EXPECT_EQ(refusal, "e.json: no task to read: 1 tasks: 0 read, 1 without an answer about time or "
                     "class (task 5); 3 regions: 0 read, 2 videorectangle (boxes), 1 textarea; "
                     "read are timelinelabels (spans in frames), labels with start and end (spans "
                     "in seconds) and choices (the whole video)");
}

TEST(LabelStudio, OtherExportsAreRefusedByName) {
  const auto refusal = [](const std::string& text) {
    return error_of([&] { read_label_studio(text, "e.json", among({}), 0); });
  };
  EXPECT_EQ(refusal(R"([{"video": "a.mp4", "label": "x"}])"),
            "e.json: its entries have no data and annotations; export from Label Studio as JSON");
  EXPECT_THAT(refusal(R"([{"video": "a.mp4", "choice": "x", "annotator": 1, )"
                      R"("annotation_id": 2}])"),
              StartsWith("e.json: its entries are of a JSON-MIN export"));
  EXPECT_THAT(refusal(R"([{"data": {"video": "a.mp4"}, "completions": []}])"),
              StartsWith("e.json: its entries are of a Label Studio before 1.0"));
  EXPECT_THAT(refusal("[]"), StartsWith("e.json: no list of tasks"));
  EXPECT_THAT(refusal("[1, "), StartsWith("e.json: line 1, column "));
  EXPECT_THAT(refusal(R"([{"data": {"x": )" + std::string(100'000, '[') +
                      std::string(100'000, ']') + R"(}, "annotations": []}])"),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of([] {
                recognised_format("annotation_id,annotator,choice,created_at,id,lead_time,updated_"
                                  "at,video\n1,2,x,t,3,4,t,a.mp4\n",
                                  "e.csv");
              }),
              StartsWith("e.csv:1: a CSV export of Label Studio"));
}

// ---- CVAT -------------------------------------------------------------------

std::string cvat(const std::string& body, const std::string& filter = "") {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  "
         "<meta>\n    <task>\n      <id>3</id>\n      <name>a &amp; b</name>\n"
         "      <frame_filter>" +
         filter +
         "</frame_filter>\n      <bugtracker></bugtracker>\n      <labels>\n        <label>\n      "
         "    <name>cut</name>\n"
         "          <attributes>\n            <attribute>\n              "
         "<values>low\nmedium\nhigh</values>\n            </attribute>\n          </attributes>\n"
         "        </label>\n      </labels>\n      <source>op1.mp4</source>\n    </task>\n    "
         "<dumped>2024-01-01</dumped>\n  </meta>\n" +
         body + "</annotations>\n";
}

std::string track(const std::string& label, const std::vector<std::pair<int, int>>& shapes) {
  std::string text = "  <track id=\"0\" label=\"" + label + "\" source=\"manual\">\n";
  for (const auto& [frame, outside] : shapes)
    text += fmt::format("    <box frame=\"{}\" keyframe=\"1\" outside=\"{}\" occluded=\"0\" "
                        "xtl=\"1.00\" ytl=\"1.00\" xbr=\"2.00\" ybr=\"2.00\" z_order=\"0\">\n"
                        "      <attribute name=\"how\">low</attribute>\n    </box>\n",
                        frame, outside);
  return text + "  </track>\n";
}

TEST(Cvat, ATrackIsASpanUntilItIsOutside) {
  const auto list =
      read_cvat(cvat(track("cut", {{3, 0}, {4, 0}, {5, 0}, {6, 1}, {20, 0}, {21, 0}}) +
                     track("sew &quot;up&quot;", {{6, 0}, {9, 1}})),
                "a.xml");
  EXPECT_THAT(paths(list), ElementsAre("op1.mp4", "op1.mp4", "op1.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("cut", "sew \"up\"", "cut"));
  EXPECT_THAT(frames(list), ElementsAre(Frames{3, 5}, Frames{6, 8}, Frames{20, 21}));
  EXPECT_EQ(list.rows[0].group, "op1");
  EXPECT_EQ(list.rows[0].place, "a.xml:26");
}

TEST(Cvat, TracksOfOneLabelThatTouchAreOneSpan) {
  const auto list = read_cvat(cvat(track("cut", {{0, 0}, {5, 1}}) + track("cut", {{5, 0}, {9, 1}}) +
                                   track("cut", {{2, 0}, {3, 1}})),
                              "a.xml");
  EXPECT_THAT(frames(list), ElementsAre(Frames{0, 8}));
}

TEST(Cvat, TagsOfFramesThatFollowEachOtherAreOneSpan) {
  const auto image = [](int id, const std::string& inside) {
    return fmt::format(
        "  <image id=\"{}\" name=\"frame_{:06}\" width=\"10\" height=\"10\">\n{}  </image>\n", id,
        id, inside);
  };
  const std::string tag = "    <tag label=\"cut\" source=\"manual\">\n    </tag>\n";
  const auto dense =
      read_cvat(cvat(image(0, tag) + image(1, tag) + image(2, "") + image(3, tag)), "a.xml");
  EXPECT_THAT(frames(dense), ElementsAre(Frames{0, 1}, Frames{3, 3}));
  const auto fifth = read_cvat(
      cvat(image(0, tag) + image(5, tag) + image(10, "") + image(15, tag), "step=5"), "a.xml");
  EXPECT_THAT(frames(fifth), ElementsAre(Frames{0, 9}, Frames{15, 19}));
}

TEST(Cvat, AnyXmlOfThatStructureIsRead) {
  const std::string plain = cvat(track("cut", {{3, 0}, {6, 1}}));
  std::string one_line;
  for (const char c : plain) {
    if (c != '\n') one_line += c;
  }
  const std::string other =
      "<!DOCTYPE annotations><?note x?>\n<annotations>\n\n  <!-- a <track> that is none -->\n"
      "<meta><job><id>1</id></job><source><![CDATA[op1.mp4]]></source></meta>\n\n"
      "<track\n  source='manual'   label = 'c&#117;t' id='0'><box\n\noutside=\"0\" frame='3' "
      "><attribute name='how'>line one\n\nline three</attribute></box>"
      "<box frame='6' outside='1'/></track><unknown><deep/></unknown></annotations>";
  for (const std::string& text : {plain, one_line, "\xEF\xBB\xBF" + plain, other}) {
    const auto list = read_cvat(text, "a.xml");
    EXPECT_THAT(paths(list), ElementsAre("op1.mp4"));
    EXPECT_THAT(labels(list), ElementsAre("cut"));
    EXPECT_THAT(frames(list), ElementsAre(Frames{3, 5}));
  }
}

TEST(Cvat, EveryShapeOfATrackIsRead) {
  const auto of = [](const std::string& shapes) {
    return read_cvat(cvat("<track label=\"cut\">" + shapes + "</track>"), "a.xml");
  };
  for (const char* shape : {"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid"}) {
    const auto list =
        of(fmt::format("<{0} frame=\"2\" outside=\"0\"/><{0} frame=\"4\" outside=\"1\"/>", shape));
    EXPECT_THAT(frames(list), ElementsAre(Frames{2, 3})) << shape;
    EXPECT_THAT(tallies(list), ElementsAre("1 tracks: 1 read")) << shape;
  }
  const auto skeleton = [](int frame, int a, int b) {
    return fmt::format(R"(<skeleton frame="{}"><points label="1" outside="{}"/>)"
                       R"(<points label="2" outside="{}"/></skeleton>)",
                       frame, a, b);
  };
  EXPECT_THAT(frames(of(skeleton(2, 0, 1) + skeleton(3, 0, 0) + skeleton(5, 1, 1))),
              ElementsAre(Frames{2, 4}));
}

TEST(Cvat, WhatIsLeftOutIsNamedWithItsCount) {
  const std::string body =
      track("cut", {{3, 0}, {6, 1}}) + track("sew", {{3, 1}}) +
      "<image id=\"0\"><tag label=\"rest\"/><box label=\"Car\" xtl=\"1\"/><box "
      "label=\"Car\"/><polygon label=\"Car\"/><wave/></image>\n";
  const auto list = read_cvat(cvat(body), "a.xml");
  EXPECT_THAT(labels(list), ElementsAre("rest", "cut"));
  ASSERT_THAT(list.tallies, SizeIs(4));
  EXPECT_THAT(tallies(list)[0],
              StartsWith("2 tracks: 1 read, 1 without a frame they are in (a.xml:"));
  EXPECT_EQ(tallies(list)[1], "1 tags of frames: 1 read");
  EXPECT_THAT(tallies(list)[2],
              StartsWith("4 shapes of images: 0 read, 2 box without a track (the first: a.xml:"));
  EXPECT_THAT(tallies(list)[2], HasSubstr(", 1 polygon without a track"));
  EXPECT_THAT(tallies(list)[2], HasSubstr(", 1 of unknown kind wave"));
  EXPECT_THAT(tallies(list)[3], StartsWith("3 attributes: 0 read, 3 called 'how' left out"));
  EXPECT_THAT(
      error_of([] { read_cvat(cvat("<image id=\"0\"><box label=\"Car\"/></image>"), "a.xml"); }),
      HasSubstr("no track and no tag of a frame to read; 1 shapes of images: 0 read, 1 box without "
                "a track"));
}

TEST(Cvat, RefusesWhatItDoesNotUnderstandWithItsLine) {
  const auto refusal = [](const std::string& text) {
    return error_of([&] { read_cvat(text, "a.xml"); });
  };
  EXPECT_THAT(refusal("<html>\n</html>\n"),
              StartsWith("a.xml:1: <html> where <annotations> was expected"));
  EXPECT_THAT(refusal("<annotations>\n  <track id=0>\n"),
              StartsWith("a.xml:2: no XML: an attribute is not name=\"value\""));
  EXPECT_THAT(refusal("<annotations>\n</track>\n"),
              StartsWith("a.xml:2: no XML: an end tag does not fit what is open"));
  EXPECT_THAT(
      refusal("<annotations>\n\n"),
      HasSubstr("no XML: an end tag does not fit what is open, or the file ends too early"));
  EXPECT_THAT(refusal("<annotations>\n<!-- "), HasSubstr("a comment is not closed"));
  EXPECT_THAT(refusal(""), HasSubstr("no XML: there is no tag"));
  EXPECT_THAT(refusal("<!DOCTYPE a [<!ENTITY b SYSTEM "
                      "\"file:///etc/passwd\">]>\n<annotations>&b;</annotations>"),
              StartsWith("a.xml:1: a DOCTYPE that defines entities"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  std::string ends;
  for (int i = 0; i < 100'000; ++i) ends += "</a>";
  EXPECT_THAT(refusal("<annotations>" + deep + ends + "</annotations>"),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(refusal(cvat("")), StartsWith("a.xml: no track and no tag of a frame to read"));
  EXPECT_THAT(refusal(cvat(track("cut", {{5, 0}, {4, 0}}))),
              HasSubstr("frame 4 of the track after frame 5"));
  EXPECT_THAT(refusal("<annotations>\n  <track label=\"x\">\n    <box frame=\"1\" outside=\"0\">\n "
                      "   </box>\n  </track>\n</annotations>\n"),
              StartsWith("a.xml:2: no <source>"));
  EXPECT_THAT(refusal("<annotations>\n  <track>\n    <box frame=\"1\"/></track></annotations>"),
              StartsWith("a.xml:2: <track> has no label"));
  for (const char* frame : {"one", "-1", "1.5", "9999999999", "1e3"})
    EXPECT_THAT(
        refusal(fmt::format("<annotations>\n<meta><source>a.mp4</source></meta>\n<track "
                            "label=\"x\">\n<box frame=\"{}\"/></track></annotations>",
                            frame)),
        StartsWith(fmt::format("a.xml:4: frame is '{}', not the number of a frame", frame)));
  EXPECT_THAT(refusal("<annotations>\n  <meta>\n    <project></project></meta></annotations>"),
              StartsWith("a.xml:3: a project; export its tasks one by one"));
}

// ---- recognition, writing ---------------------------------------------------

TEST(ForeignLists, AreRecognisedByContent) {
  EXPECT_EQ(recognised_format(kKinetics, "train.csv"), "kinetics");
  EXPECT_EQ(recognised_format(kLabelStudio, "project-1.json"), "labelstudio");
  EXPECT_EQ(recognised_format("\xEF\xBB\xBF" + cvat(""), "annotations.xml"), "cvat");
  EXPECT_EQ(recognised_format("<html>\n</html>\n", "page.html"), "");
  EXPECT_EQ(recognised_format("\r\xEF\xBB\xBF\r", "train.txt"), "")
      << "a byte-order mark and nothing else";
  EXPECT_EQ(recognised_format("some/path/000.mp4 1\nsome/path/001.mp4 0\n", "val.txt"),
            "mmaction2");
  EXPECT_EQ(recognised_format("some/dir 163 1\n", "val.txt"), "mmaction2");
  EXPECT_EQ(recognised_format("Archery/v_Archery_g08_c01.avi 3\n", "trainlist02.txt"), "ucf101");
  EXPECT_EQ(
      recognised_format("Archery/v_Archery_g08_c01.avi 0\n", "ucf101_train_split_1_videos.txt"),
      "mmaction2");
  EXPECT_EQ(recognised_format("Archery/v_Archery_g08_c01.avi\n", "testlist01.txt"), "ucf101");
  EXPECT_EQ(recognised_format("a_0.avi 1 \nb_1.avi 2 \n", "brush_hair_test_split1.txt"), "hmdb51");
  EXPECT_EQ(recognised_format("video,start_frame,end_frame,label\na.mp4,0,1,x\n", "list.csv"),
            "csv");
  EXPECT_EQ(recognised_format("\"path\", label\na.mp4,x\n", "list.csv"), "csv");
  EXPECT_EQ(recognised_format("a.mp4,run\n", "list.csv"), "");
  EXPECT_EQ(recognised_format("dear reader\n", "notes.txt"), "");
  EXPECT_EQ(recognised_format(std::string("\0\1\2 1\n", 6), "x.bin"), "");
  EXPECT_EQ(recognised_format("", "empty.csv"), "");
}

std::vector<Row> reread(const std::vector<Row>& rows) {
  const TemporaryFolder folder;
  return read_rows(folder.write("list.csv", csv_text(rows)), "");
}

TEST(CsvText, ReadsBackAsItWas) {
  const auto reread_list = [](ForeignList list) { return reread(list.rows); };
  const auto plain =
      reread_list(read_ucf101("Archery/v_Archery_g08_c01.avi\n", "t.txt", Side::unsaid));
  EXPECT_EQ(plain.at(0).group, "Archery_g08");
  EXPECT_EQ(plain.at(0).end_s, kEnd);

  const auto timed =
      reread_list(read_kinetics(kKinetics, "k.csv", among({{"_dbcJuKJQNs.mp4", "a, \"b\".mp4"}})));
  EXPECT_EQ(timed.at(0).end_s, kEnd);
  EXPECT_EQ(timed.at(1).path, "a, \"b\".mp4");
  EXPECT_EQ(timed.at(1).start_s, 40);
  EXPECT_EQ(timed.at(1).end_s, 50);

  const auto framed = reread_list(read_label_studio(kLabelStudio, "e.json", among({}), 0));
  EXPECT_EQ(framed.at(0).start_frame, 0);
  EXPECT_EQ(framed.at(0).end_frame, 9);
  EXPECT_EQ(framed.at(2).start_frame, -1);  // a whole video among spans
  EXPECT_EQ(framed.at(2).end_s, kEnd);
}

TEST(CsvText, SecondsAndFramesGoIntoOneList) {
  Row timed, framed;
  timed.path = framed.path = " a, b.mp4";
  timed.label = framed.label = "x";
  timed.group = framed.group = "g\n1";
  timed.end_s = 3;
  framed.start_frame = 2;
  framed.end_frame = 4;
  const auto again = reread({timed, framed});
  EXPECT_EQ(again.at(0).end_s, 3);
  EXPECT_EQ(again.at(0).start_frame, -1);
  EXPECT_EQ(again.at(1).start_frame, 2);
  EXPECT_EQ(again.at(1).end_s, kEnd);
  EXPECT_EQ(again.at(1).path, " a, b.mp4");
  EXPECT_EQ(again.at(1).group, "g\n1");
}

}  // namespace
}  // namespace distal
