#include "data/foreign_lists.h"

#include <map>

#include "data/testing.h"

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

// ---- Kinetics ----------------------------------------------------------------------------------------------------------

const char* kKinetics =
    "label,youtube_id,time_start,time_end,split,is_cc\n"
    "testifying,---QUuC4vJs,84,94,train,0\r\n"
    "\"air drumming\",_dbcJuKJQNs,40,50,val,0\n"
    "washing feet,--GkrdYZ9Tc,0,10,,0\n";

TEST(Kinetics, TakesCutVideosWholeAndWholeVideosAsSpans) {
  const auto find = among({{"---QUuC4vJs_000084_000094.mp4", "testifying/---QUuC4vJs_000084_000094.mp4"}, {"_dbcJuKJQNs.mp4", "_dbcJuKJQNs.mp4"}});
  const auto list = read_kinetics(kKinetics, "k.csv", find);
  EXPECT_THAT(paths(list), ElementsAre("testifying/---QUuC4vJs_000084_000094.mp4", "_dbcJuKJQNs.mp4", "--GkrdYZ9Tc_000000_000010.mp4"));
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
  const auto list = read_kinetics("label,youtube_id,time_start,time_end,split\n,abc,0,10,test\nrun,def,0,10,test\n", "k.csv", among({}));
  EXPECT_THAT(labels(list), ElementsAre("run"));
  EXPECT_THAT(list.notes, ElementsAre("1 rows without a label were left out"));
}

TEST(Kinetics, RefusesWithItsLine) {
  const auto refusal = [](const std::string& text) { return error_of([&] { read_kinetics(text, "k.csv", among({})); }); };
  EXPECT_THAT(refusal("youtube_id,time_start,time_end\na,0,1\n"), StartsWith("k.csv:1: a Kinetics list needs a column label, it has youtube_id"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,x,1\n"), StartsWith("k.csv:2: time_start is 'x'"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,2,1\n"), StartsWith("k.csv:2: time_end 1 is not after time_start 2"));
  EXPECT_THAT(refusal("label,youtube_id,time_start,time_end\nrun,a,2\n"), StartsWith("k.csv:2: 3 fields where the header has 4"));
}

// ---- MMAction2 ---------------------------------------------------------------------------------------------------------

TEST(MMAction2, ReadsPathAndNumber) {
  const auto list = read_mmaction2("some/path/000.mp4 1\r\nsome/my clip.mp4 0\n\n", "train.txt", {});
  EXPECT_THAT(paths(list), ElementsAre("some/path/000.mp4", "some/my clip.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("1", "0"));
  EXPECT_EQ(list.rows[0].group, "some/path/000");
  EXPECT_THAT(list.notes, SizeIs(1));
}

TEST(MMAction2, NamesClassesFromTheirFile) {
  const auto list = read_mmaction2("a.mp4 1\nv_Archery_g03_c02.avi 0\n", "train.txt", {"archery", "bowling"});
  EXPECT_THAT(labels(list), ElementsAre("bowling", "archery"));
  EXPECT_EQ(list.rows[1].group, "Archery_g03");
  EXPECT_THAT(list.notes, IsEmpty());
  EXPECT_THAT(error_of([] { read_mmaction2("a.mp4 2\n", "t.txt", {"x", "y"}); }), StartsWith("t.txt:1: class number 2, but there are 2 class names"));
}

TEST(MMAction2, RefusesFramesAndSeveralLabels) {
  const auto refusal = [](const std::string& text) { return error_of([&] { read_mmaction2(text, "t.txt", {}); }); };
  EXPECT_THAT(refusal("a.mp4 1\nsome/directory-1 163 1\n"), StartsWith("t.txt:2: `path frames label` lists folders of frames, which are no videos"));
  EXPECT_THAT(refusal("a.mp4 1 3\n"), StartsWith("t.txt:1: several labels"));
  EXPECT_THAT(refusal("a.mp4\n"), StartsWith("t.txt:1: 'a.mp4' does not end in a class number"));
}

// ---- UCF101, HMDB51 ----------------------------------------------------------------------------------------------------

TEST(Ucf101, ReadsBothKindsOfList) {
  const auto train = read_ucf101("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\nHandstandPushups/v_HandStandPushups_g25_c07.avi 37\n", "trainlist01.txt", Side::training);
  EXPECT_THAT(paths(train), ElementsAre("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "HandstandPushups/v_HandStandPushups_g25_c07.avi"));
  EXPECT_THAT(labels(train), ElementsAre("ApplyEyeMakeup", "HandstandPushups"));
  EXPECT_EQ(train.rows[0].group, "ApplyEyeMakeup_g08");
  EXPECT_THAT(train.sides, ElementsAre(Side::training, Side::training));
  const auto test = read_ucf101("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n", "testlist01.txt", Side::test);
  EXPECT_THAT(test.sides, ElementsAre(Side::test));
  EXPECT_THAT(error_of([] { read_ucf101("1 ApplyEyeMakeup\n", "classInd.txt", Side::unsaid); }), StartsWith("classInd.txt:1: '1 ApplyEyeMakeup' is not of UCF101"));
}

TEST(Hmdb51, ReadsOneClassOfASplit) {
  const auto list = read_hmdb51("April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 \n#122_Cleaning_Up_brush_hair_u_cm_np1_le_med_10.avi 2 \nunused_0.avi 0 \n",
                                "brush_hair_test_split1.txt", "brush_hair");
  EXPECT_THAT(paths(list), ElementsAre("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi", "brush_hair/#122_Cleaning_Up_brush_hair_u_cm_np1_le_med_10.avi"));
  EXPECT_THAT(labels(list), ElementsAre("brush_hair", "brush_hair"));
  EXPECT_THAT(list.sides, ElementsAre(Side::training, Side::test));
  EXPECT_EQ(list.rows[0].group, "April_09_brush_hair_u_nm_np1_ba_goo");
  EXPECT_EQ(list.rows[1].group, "#122_Cleaning_Up_brush_hair_u_cm_np1_le_med");
  EXPECT_THAT(error_of([] { read_hmdb51("a.avi 3\n", "x.txt", "x"); }), StartsWith("x.txt:1: 'a.avi 3' is not of an HMDB51 split"));
}

// ---- Label Studio ------------------------------------------------------------------------------------------------------

const char* kLabelStudio = R"([
 {"id": 7, "data": {"video": "/data/upload/3/0a1b2c3d-op%201.mp4"}, "annotations": [
   {"was_cancelled": true, "result": []},
   {"result": [
     {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 10}], "timelinelabels": ["cut"]}},
     {"type": "timelinelabels", "value": {"ranges": [{"start": 11, "end": 11}], "timelinelabels": ["sew"]}},
     {"type": "videorectangle", "value": {"sequence": []}}]}], "predictions": [{"result": [
     {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 99}], "timelinelabels": ["guessed"]}}]}]},
 {"id": 8, "data": {"video": "http://host/data/local-files/?d=ward/op2.mp4"}, "annotations": [
   {"result": [{"type": "choices", "value": {"choices": ["rest"]}}]}]},
 {"id": 9, "data": {"video": "s3://bucket/op3.mp4"}, "annotations": []}
])";

TEST(LabelStudio, RangesCountFromOneAndIncludeBothEnds) {
  const auto list = read_label_studio(kLabelStudio, "export.json", among({{"op 1.mp4", "op 1.mp4"}, {"ward/op2.mp4", "ward/op2.mp4"}}), 0);
  EXPECT_THAT(paths(list), ElementsAre("op 1.mp4", "op 1.mp4", "ward/op2.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("cut", "sew", "rest"));
  EXPECT_THAT(frames(list), ElementsAre(Frames{0, 9}, Frames{10, 10}, Frames{-1, -1}));
  EXPECT_EQ(list.rows[0].group, "op 1");
  EXPECT_EQ(list.rows[0].place, "export.json: task 7");
  ASSERT_THAT(list.notes, SizeIs(4));
  EXPECT_THAT(list.notes[0], StartsWith("1 tasks without an answer"));
  EXPECT_THAT(list.notes[1], StartsWith("1 tasks have several annotations"));
  EXPECT_THAT(list.notes[2], StartsWith("1 regions of other kinds"));
  EXPECT_THAT(list.notes[3], HasSubstr("--frame-rate"));
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
     {"ground_truth": true, "result": [{"type": "choices", "value": {"choices": ["y"]}}]}]})", "e.json", among({}), 0);
  EXPECT_THAT(labels(list), ElementsAre("y"));
}

TEST(LabelStudio, RefusesWithItsTask) {
  const auto refusal = [](const std::string& annotation, const std::string& data = R"({"video": "a.mp4"})") {
    const std::string text = R"([{"id": 5, "data": )" + data + R"(, "annotations": [{"result": [)" + annotation + "]}]}]";
    return error_of([&] { read_label_studio(text, "e.json", among({}), 0); });
  };
  EXPECT_THAT(refusal(R"({"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 2}], "timelinelabels": ["x", "y"]}})"), StartsWith("e.json: task 5: 2 labels on one span"));
  EXPECT_THAT(refusal(R"({"type": "timelinelabels", "value": {"ranges": [{"start": null, "end": 2}], "timelinelabels": ["x"]}})"), StartsWith("e.json: task 5: start of a range is null"));
  EXPECT_THAT(refusal(R"({"type": "timelinelabels", "value": {"ranges": [{"start": 3, "end": 2}], "timelinelabels": ["x"]}})"), StartsWith("e.json: task 5: a range ends at frame 2 before"));
  EXPECT_THAT(refusal(R"({"type": "choices", "value": {"choices": ["x"]}}, {"type": "choices", "value": {"choices": ["y"]}})"), StartsWith("e.json: task 5: two classes for the whole video, x and y"));
  EXPECT_THAT(refusal(R"({"type": "choices", "value": {"choices": ["x"]}})", R"({"clip": "a.mp4"})"), StartsWith("e.json: task 5: its data has no key `video`"));
  EXPECT_THAT(error_of([] { read_label_studio(R"([{"video": "a.mp4", "label": "x"}])", "e.json", among({}), 0); }), StartsWith("e.json: entry 1 has no data and annotations"));
  EXPECT_THAT(error_of([] { read_label_studio("[1, ", "e.json", among({}), 0); }), StartsWith("e.json: "));
}

// ---- CVAT --------------------------------------------------------------------------------------------------------------

std::string cvat(const std::string& body, const std::string& filter = "") {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n      <id>3</id>\n      <name>a &amp; b</name>\n"
         "      <frame_filter>" + filter + "</frame_filter>\n      <bugtracker></bugtracker>\n      <labels>\n        <label>\n          <name>cut</name>\n"
         "          <attributes>\n            <attribute>\n              <values>low\nmedium\nhigh</values>\n            </attribute>\n          </attributes>\n"
         "        </label>\n      </labels>\n      <source>op1.mp4</source>\n    </task>\n    <dumped>2024-01-01</dumped>\n  </meta>\n" + body + "</annotations>\n";
}

std::string track(const std::string& label, const std::vector<std::pair<int, int>>& shapes) {
  std::string text = "  <track id=\"0\" label=\"" + label + "\" source=\"manual\">\n";
  for (const auto& [frame, outside] : shapes)
    text += fmt::format("    <box frame=\"{}\" keyframe=\"1\" outside=\"{}\" occluded=\"0\" xtl=\"1.00\" ytl=\"1.00\" xbr=\"2.00\" ybr=\"2.00\" z_order=\"0\">\n"
                        "      <attribute name=\"how\">low</attribute>\n    </box>\n", frame, outside);
  return text + "  </track>\n";
}

TEST(Cvat, ATrackIsASpanUntilItIsOutside) {
  const auto list = read_cvat(cvat(track("cut", {{3, 0}, {4, 0}, {5, 0}, {6, 1}, {20, 0}, {21, 0}}) + track("sew &quot;up&quot;", {{6, 0}, {9, 1}})), "a.xml");
  EXPECT_THAT(paths(list), ElementsAre("op1.mp4", "op1.mp4", "op1.mp4"));
  EXPECT_THAT(labels(list), ElementsAre("cut", "sew \"up\"", "cut"));
  EXPECT_THAT(frames(list), ElementsAre(Frames{3, 5}, Frames{6, 8}, Frames{20, 21}));
  EXPECT_EQ(list.rows[0].group, "op1");
  EXPECT_EQ(list.rows[0].place, "a.xml:26");
}

TEST(Cvat, TracksOfOneLabelThatTouchAreOneSpan) {
  const auto list = read_cvat(cvat(track("cut", {{0, 0}, {5, 1}}) + track("cut", {{5, 0}, {9, 1}}) + track("cut", {{2, 0}, {3, 1}})), "a.xml");
  EXPECT_THAT(frames(list), ElementsAre(Frames{0, 8}));
}

TEST(Cvat, TagsOfFramesThatFollowEachOtherAreOneSpan) {
  const auto image = [](int id, const std::string& inside) { return fmt::format("  <image id=\"{}\" name=\"frame_{:06}\" width=\"10\" height=\"10\">\n{}  </image>\n", id, id, inside); };
  const std::string tag = "    <tag label=\"cut\" source=\"manual\">\n    </tag>\n";
  const auto dense = read_cvat(cvat(image(0, tag) + image(1, tag) + image(2, "") + image(3, tag)), "a.xml");
  EXPECT_THAT(frames(dense), ElementsAre(Frames{0, 1}, Frames{3, 3}));
  const auto fifth = read_cvat(cvat(image(0, tag) + image(5, tag) + image(10, "") + image(15, tag), "step=5"), "a.xml");
  EXPECT_THAT(frames(fifth), ElementsAre(Frames{0, 9}, Frames{15, 19}));
}

TEST(Cvat, RefusesWhatItDoesNotUnderstandWithItsLine) {
  const auto refusal = [](const std::string& text) { return error_of([&] { read_cvat(text, "a.xml"); }); };
  EXPECT_THAT(refusal("<annotations><track/></annotations>\n"), StartsWith("a.xml:1: not as CVAT writes it"));
  EXPECT_THAT(refusal("<annotations>\n  <!DOCTYPE x>\n</annotations>\n"), StartsWith("a.xml:2: not as CVAT writes it"));
  EXPECT_THAT(refusal("<annotations>\n  <name>a &deg; b</name>\n</annotations>\n"), StartsWith("a.xml:2: not as CVAT writes it"));
  EXPECT_THAT(refusal("<annotations>\n  <track id=0>\n"), StartsWith("a.xml:2: not as CVAT writes it"));
  EXPECT_THAT(refusal("<annotations>\n</track>\n"), StartsWith("a.xml:2: </track> closes nothing"));
  EXPECT_THAT(refusal("<annotations>\n"), StartsWith("a.xml: ends within <annotations>"));
  EXPECT_THAT(refusal(cvat("")), StartsWith("a.xml: no track and no tag"));
  EXPECT_THAT(refusal(cvat(track("cut", {{5, 0}, {4, 0}}))), HasSubstr("frame 4 of the track after frame 5"));
  EXPECT_THAT(refusal("<annotations>\n  <track label=\"x\">\n    <box frame=\"1\" outside=\"0\">\n    </box>\n  </track>\n</annotations>\n"), StartsWith("a.xml:2: no <source>"));
  EXPECT_THAT(refusal("<annotations>\n  <track label=\"x\">\n    <box frame=\"one\" outside=\"0\">\n"), StartsWith("a.xml:3: frame is 'one', not a frame"));
  EXPECT_THAT(refusal("<annotations>\n  <meta>\n    <project>\n"), StartsWith("a.xml:3: a project; export its tasks one by one"));
}

// ---- recognition, writing ----------------------------------------------------------------------------------------------

TEST(ForeignLists, AreRecognisedByContent) {
  EXPECT_EQ(recognised_format(kKinetics, "train.csv"), "kinetics");
  EXPECT_EQ(recognised_format(kLabelStudio, "project-1.json"), "labelstudio");
  EXPECT_EQ(recognised_format("\xEF\xBB\xBF" + cvat(""), "annotations.xml"), "cvat");
  EXPECT_EQ(recognised_format("<html>\n</html>\n", "page.html"), "");
  EXPECT_EQ(recognised_format("some/path/000.mp4 1\nsome/path/001.mp4 0\n", "val.txt"), "mmaction2");
  EXPECT_EQ(recognised_format("some/dir 163 1\n", "val.txt"), "mmaction2");
  EXPECT_EQ(recognised_format("Archery/v_Archery_g08_c01.avi 3\n", "trainlist02.txt"), "ucf101");
  EXPECT_EQ(recognised_format("Archery/v_Archery_g08_c01.avi 0\n", "ucf101_train_split_1_videos.txt"), "mmaction2");
  EXPECT_EQ(recognised_format("Archery/v_Archery_g08_c01.avi\n", "testlist01.txt"), "ucf101");
  EXPECT_EQ(recognised_format("a_0.avi 1 \nb_1.avi 2 \n", "brush_hair_test_split1.txt"), "hmdb51");
  EXPECT_EQ(recognised_format("video,start_frame,end_frame,label\na.mp4,0,1,x\n", "list.csv"), "csv");
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
  const auto plain = reread_list(read_ucf101("Archery/v_Archery_g08_c01.avi\n", "t.txt", Side::unsaid));
  EXPECT_EQ(plain.at(0).group, "Archery_g08");
  EXPECT_EQ(plain.at(0).end_s, kEnd);

  const auto timed = reread_list(read_kinetics(kKinetics, "k.csv", among({{"_dbcJuKJQNs.mp4", "a, \"b\".mp4"}})));
  EXPECT_EQ(timed.at(0).end_s, kEnd);
  EXPECT_EQ(timed.at(1).path, "a, \"b\".mp4");
  EXPECT_EQ(timed.at(1).start_s, 40);
  EXPECT_EQ(timed.at(1).end_s, 50);

  const auto framed = reread_list(read_label_studio(kLabelStudio, "e.json", among({}), 0));
  EXPECT_EQ(framed.at(0).start_frame, 0);
  EXPECT_EQ(framed.at(0).end_frame, 9);
  EXPECT_EQ(framed.at(2).start_frame, 0);
  EXPECT_GT(framed.at(2).end_frame, 100'000'000);
}

TEST(CsvText, RefusesSecondsBesideFrames) {
  Row timed, framed;
  timed.end_s = 3;
  timed.place = "x:1";
  framed.start_frame = framed.end_frame = 0;
  EXPECT_THAT(error_of([&] { csv_text({timed, framed}); }), StartsWith("x:1: spans in seconds and in frames"));
}

}  // namespace
}  // namespace distal
