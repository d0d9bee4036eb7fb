#include "distal/people/answer_files.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/testing.h"
#include "distal/base/utc.h"
#include "distal/lists/csv.h"

namespace distal {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

const std::string kA = "00000000000000aa@0-2000";
const std::string kB = "00000000000000aa@2000-4000";
const std::string kC = "00000000000000bb@0-inf";
constexpr int64_t kAsked = 1'767'300'000'000;  // 2026-01-01T20:40:00Z
constexpr int64_t kAnswered = 1'767'323'045'678;

Questions clips() {
  Questions questions;
  questions.classes = {"cut", "sew, \"up\" & <tie>", "rest"};
  questions.items = {{.clip = kA,
                      .video = "a/op 1.mp4",
                      .start_s = 0,
                      .end_s = 2,
                      .first_frame = 0,
                      .last_frame = 49,
                      .frame_rate = 25,
                      .asked_ms = kAsked,
                      .guess = {0.2, 0.7, 0.1}},
                     {.clip = kB,
                      .video = "a/op 1.mp4",
                      .start_s = 2,
                      .end_s = 4,
                      .first_frame = 50,
                      .last_frame = 99,
                      .frame_rate = 25,
                      .asked_ms = kAsked},
                     {.clip = kC, .video = "b,\"1\".mp4"}};
  return questions;
}

Questions long_videos() {
  Questions questions;
  questions.classes = {"cut", "rest"};
  questions.items = {{.clip = kA,
                      .video = "day.mp4",
                      .start_s = 0,
                      .end_s = 3600,
                      .kind = AskedKind::ranges,
                      .frame_rate = 25},
                     {.clip = kC,
                      .video = "night.mp4",
                      .start_s = 0,
                      .end_s = 60.01,
                      .kind = AskedKind::ranges,
                      .frame_rate = 30}};
  return questions;
}

std::string said(const GivenAnswer& answer) {
  std::string text = fmt::format("{} {} {}{}{}", answer.clip, answer.person, answer.class_name,
                                 answer.skipped ? " skipped" : "", answer.unsure ? " unsure" : "");
  if (!answer.note.empty()) text += " '" + answer.note + "'";
  if (answer.answered_ms > 0) text += " " + utc_text(answer.answered_ms);
  if (answer.seconds) text += fmt::format(" {} s", *answer.seconds);
  for (const auto& range : answer.ranges)
    text += fmt::format(" [{:.4f} {:.4f} {}]", range.start_s, range.end_s, range.class_name);
  return text;
}

std::vector<std::string> said(const std::vector<GivenAnswer>& answers) {
  std::vector<std::string> texts;
  for (const GivenAnswer& answer : answers) texts.push_back(said(answer));
  return texts;
}

std::vector<std::string> refused(const GivenAnswers& read) {
  std::vector<std::string> texts;
  for (const RowRefusal& refusal : read.refusals) texts.push_back(refusal.text());
  return texts;
}

GivenAnswer given(const std::string& clip, const std::string& person, const std::string& name) {
  GivenAnswer answer;
  answer.clip = clip;
  answer.person = person;
  answer.class_name = name;
  answer.answered_ms = kAnswered;
  answer.seconds = 4.25;
  return answer;
}

// Two people, a class that needs quotes, a note of two lines, what was skipped, and doubt.
std::vector<GivenAnswer> many_answers() {
  auto first = given(kA, "1", "sew, \"up\" & <tie>");
  first.note = "two, \"hands\"\nand a clip";
  auto second = given(kA, "kim@example.org", "cut");
  second.unsure = true;
  second.seconds.reset();
  auto skipped = given(kC, "1", "");
  skipped.skipped = true;
  return {first, second, given(kB, "1", "rest"), skipped};
}

TEST(AnswerFiles, FormatsAreToldByContent) {
  EXPECT_THAT(answer_formats(), ElementsAre("csv", "label-studio", "cvat"));
  EXPECT_EQ(answer_format_of("\xEF\xBB\xBF [{}]", "f"), "label-studio");
  EXPECT_EQ(answer_format_of("<?xml ?>", "f"), "cvat");
  EXPECT_EQ(answer_format_of("clip,class\n", "f"), "csv");
  EXPECT_THAT(error_of([] { answer_format_of("\n", "f"); }), HasSubstr("f: empty"));
  EXPECT_THAT(error_of<UsageError>([] { ask_files("xls", {}); }),
              HasSubstr("'xls' is no format of answers; the formats are csv, label-studio, cvat"));
}

TEST(AnswerFiles, QuestionsThatContradictThemselvesAreRefused) {
  Questions twice = clips();
  twice.items[1].clip = kA;
  EXPECT_THAT(error_of([&] { ask_files("csv", twice); }), HasSubstr("asked about twice"));
  Questions alike = clips();
  alike.classes[2] = "cut";
  EXPECT_THAT(error_of([&] { ask_files("csv", alike); }),
              HasSubstr("two classes are called 'cut'"));
}

TEST(AnswerFiles, WhatIsWrittenReadsBackInEveryFormatThatIsWritten) {
  for (const char* format : {"csv", "label-studio"}) {
    for (const bool guesses : {false, true}) {
      const AskFile file = answer_file(format, clips(), many_answers(), {.guesses = guesses});
      const GivenAnswers read = read_answers("", file.text, "f", clips());
      EXPECT_THAT(refused(read), IsEmpty()) << format;
      EXPECT_THAT(said(read.answers), testing::ElementsAreArray(said(many_answers()))) << format;
      EXPECT_EQ(read.answers[0].source, format);
      EXPECT_EQ(read.unanswered, 0);
    }
  }
}

TEST(AnswerFiles, RangesReadBackInEveryFormatThatIsWritten) {
  GivenAnswer some = given(kA, "1", "");
  some.ranges = {{1.0, 2.4, "cut"}, {2.0, 3600, "rest"}};
  GivenAnswer none = given(kC, "1", "");
  GivenAnswer skipped = given(kC, "2", "");
  skipped.skipped = true;
  for (const char* format : {"csv", "label-studio"}) {
    const AskFile file = answer_file(format, long_videos(), {some, none, skipped});
    const GivenAnswers read = read_answers("", file.text, "f", long_videos());
    EXPECT_THAT(refused(read), IsEmpty()) << format;
    EXPECT_THAT(said(read.answers), testing::UnorderedElementsAreArray(said({some, none, skipped})))
        << format;
  }
}

TEST(AnswerFiles, AFileThatAsksHoldsNoAnswer) {
  for (const char* format : {"csv", "label-studio"}) {
    for (const bool guesses : {false, true}) {
      const auto files = ask_files(format, clips(), {.guesses = guesses});
      if (std::string(format) == "label-studio") {
        // As exported before anybody answered.
        json tasks = json::parse(files[0].text);
        for (json& task : tasks) task["annotations"] = json::array();
        const auto read = read_answers(format, tasks.dump(), "f", clips());
        EXPECT_EQ(read.unanswered, 3);
        EXPECT_THAT(read.answers, IsEmpty());
      } else {
        const auto read = read_answers(format, files[0].text, "f", clips());
        EXPECT_EQ(read.unanswered, 3);
        EXPECT_THAT(read.answers, IsEmpty());
        EXPECT_THAT(read.refusals, IsEmpty());
      }
    }
  }
}

// CSV

TEST(CsvAnswers, AsksARowAClip) {
  const auto files = ask_files("csv", clips());
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].ending, ".csv");
  const auto rows = parse_csv(files[0].text, "f");
  EXPECT_THAT(rows[0].fields,
              ElementsAre("clip", "video", "start_s", "end_s", "classes", "class", "skipped",
                          "unsure", "note", "person", "answered", "seconds"));
  EXPECT_THAT(rows[1].fields,
              ElementsAre(kA, "a/op 1.mp4", "0", "2", "cut | sew, \"up\" & <tie> | rest", "", "",
                          "", "", "", "", ""));
  EXPECT_EQ(rows[3].fields[1], "b,\"1\".mp4");
  EXPECT_EQ(rows[3].fields[3], "");
  const auto guessed = parse_csv(ask_files("csv", clips(), {.guesses = true})[0].text, "f");
  EXPECT_EQ(guessed[0].fields[5], "guess");
  EXPECT_EQ(guessed[1].fields[5], "sew, \"up\" & <tie>");
  EXPECT_EQ(guessed[2].fields[5], "");
}

TEST(CsvAnswers, ReadsWhatASpreadsheetMakesOfIt) {
  // Semicolons, TRUE, CRLF, a byte-order mark, rows in another order, a column of one's own.
  const std::string text = "\xEF\xBB\xBF"
                           "clip;class;skipped;unsure;note;person;answered;seconds;mine\r\n" +
                           kB + ";cut;;TRUE;f\xFCr;Kim;2026-01-02T03:04:05Z;2.5;x\r\n" + kA +
                           ";;TRUE;;;Kim;;;\r\n;;;;;;;;\r\n";
  const auto read = read_answers("", text, "f.csv", clips());
  EXPECT_THAT(said(read.answers),
              ElementsAre(kB + " Kim cut unsure 'f\xC3\xBCr' 2026-01-02T03:04:05.000Z 2.5 s",
                          kA + " Kim  skipped"));
  EXPECT_EQ(read.answers[0].place, "f.csv:2");
  EXPECT_THAT(refused(read), ElementsAre(StartsWith("f.csv:4: no clip is named")));
}

TEST(CsvAnswers, RefusesByRowAndKeepsTheRest) {
  const auto row = [](const std::string& rest) { return rest + "\n"; };
  const std::string text = "clip,class,skipped,person,answered,seconds\n" +
                           row(kA + ",cut,,kim,,") +                     // 2
                           row(kA + ",rest,,kim,,") +                    // 3: twice
                           row("ff@0-1,cut,,kim,,") +                    // 4: nobody asked
                           row(kB + ",sow,,kim,,") +                     // 5: no class
                           row(kB + ",cut,,kim,tomorrow,") +             // 6: no time
                           row(kB + ",cut,,kim,2025-12-31T00:00Z,") +    // 7: before it was asked
                           row(kB + ",cut,,kim,2027-01-01T00:00Z,") +    // 8: to come
                           row(kB + ",cut,,kim,,-1") +                   // 9: no seconds
                           row(kB + ",cut,,kim,,nan") +                  // 10
                           row(kB + ",cut,1,kim,,") +                    // 11: both
                           row(kB + ",cut,perhaps,kim,,") +              // 12: neither
                           row(kB + ",cut,,,,") +                        // 13: nobody
                           row(kB + ",cut,,kim") +                       // 14: short
                           row(kB + ",rest,,kim,2026-01-02T00:00Z,3") +  // 15
                           row(kB + ",cut,,lee,,");                      // 16
  const auto read = read_answers("csv", text, "f", clips(), {.now_ms = kAnswered});
  EXPECT_THAT(
      said(read.answers),
      ElementsAre(kA + " kim cut", kB + " kim rest 2026-01-02T00:00:00.000Z 3 s", kB + " lee cut"));
  EXPECT_THAT(
      refused(read),
      ElementsAre(
          "f:3: kim has answered about this clip in f:2; leave one of the two",
          "f:4: nobody asked about the clip 'ff@0-1'; remove the row, or give the file to the "
          "study "
          "that asked",
          "f:5: 'sow' is no class; write one of: cut, sew, \"up\" & <tie>, rest",
          "f:6: answered at 'tomorrow', which is no time; write it as 2026-01-02T03:04:05Z",
          "f:7: answered at 2025-12-31T00:00:00.000Z, before it was asked at "
          "2026-01-01T20:40:00.000Z; correct the time, or remove the row if it answers an earlier "
          "question",
          "f:8: answered at 2027-01-01T00:00:00.000Z, which is to come; correct the time or the "
          "clock",
          "f:9: '-1' is no number of seconds; write 0 to 86400, or nothing",
          "f:10: 'nan' is no number of seconds; write 0 to 86400, or nothing",
          "f:11: it is skipped and has a class; leave one of the two",
          "f:12: skipped is 'perhaps'; write 1 or leave it empty",
          "f:13: nobody is named who answered; write who did",
          "f:14: 4 fields where the header has 6; quote a field that contains a comma"));
}

TEST(CsvAnswers, TheCallerMayNameThePerson) {
  const std::string text = "clip,class\n" + kA + ",cut\n" + kA + ",cut\n";
  const auto read = read_answers("csv", text, "f", clips(), {.person = "kim"});
  EXPECT_THAT(said(read.answers), ElementsAre(kA + " kim cut"));
  EXPECT_THAT(refused(read), SizeIs(1));
}

TEST(CsvAnswers, WhatIsNoSuchFileIsRefused) {
  EXPECT_THAT(error_of([] { read_answers("csv", "path,label\na,b\n", "f", clips()); }),
              StartsWith("f:1: answers need a column clip, there are path, label"));
  EXPECT_THAT(error_of([] { read_answers("csv", "\n\n", "f", clips()); }), HasSubstr("f:1: empty"));
  EXPECT_THAT(error_of([] { read_answers("csv", "clip,class\n\"a", "f", clips()); }),
              HasSubstr("a quote opens here"));
}

TEST(CsvAnswers, ARangeThatIsNoneCostsTheAnswerItBelongsTo) {
  const std::string header = "clip,class,person,range_start_s,range_end_s\n";
  const auto read =
      read_answers("csv",
                   header + kA + ",cut,kim,1,2\n" + kA + ",cut,kim,5,5\n" + kA + ",sow,kim,6,7\n" +
                       kA + ",rest,kim,9,4000\n" + kA + ",rest,kim,8,9\n" + kA + ",rest,kim,,\n" +
                       kA + ",cut,lee,8,3600.5\n" + kC + ",cut,kim,1,2\n",
                   "f", long_videos());
  EXPECT_THAT(said(read.answers),
              ElementsAre(kA + " lee  [8.0000 3600.5000 cut]", kC + " kim  [1.0000 2.0000 cut]"));
  EXPECT_THAT(refused(read),
              ElementsAre(StartsWith("f:3: a range from 5 to 5 s"), StartsWith("f:4: 'sow' is no"),
                          StartsWith("f:5: a range from 9 to 4000 s reaches out of the clip"),
                          StartsWith("f:7: a range without a number where it"),
                          StartsWith("f:2: the other ranges of an answer whose row f:3 is")));
}

// Label Studio

TEST(LabelStudioAnswers, AsksTasksAndTheirConfiguration) {
  const auto files = ask_files("label-studio", clips(), {.media = "/data/local-files/?d=v/"});
  ASSERT_THAT(files, SizeIs(2));
  EXPECT_EQ(files[0].ending, ".json");
  EXPECT_EQ(files[1].ending, ".xml");
  const json tasks = json::parse(files[0].text);
  ASSERT_THAT(tasks, SizeIs(3));
  EXPECT_EQ(tasks[1]["data"]["video"], "/data/local-files/?d=v/a/op%201.mp4#t=2.000,4.000");
  EXPECT_EQ(tasks[2]["data"]["video"], "/data/local-files/?d=v/b%2C%221%22.mp4");
  EXPECT_EQ(tasks[1]["data"]["clip"], kB);
  EXPECT_EQ(tasks[1]["data"]["fps"], 25);
  EXPECT_TRUE(tasks[2]["data"]["end_s"].is_null());
  for (const json& task : tasks) {
    EXPECT_FALSE(task.contains("predictions"));
    EXPECT_FALSE(task.contains("annotations"));
  }
  EXPECT_THAT(files[1].text,
              HasSubstr(R"(<Video name="video" value="$video" frameRate="$fps" />)"));
  EXPECT_THAT(files[1].text, HasSubstr(R"(<Choices name="class" toName="video")"));
  EXPECT_THAT(files[1].text, HasSubstr(R"(<Choice value="sew, &quot;up&quot; &amp; &lt;tie)"));
  EXPECT_THAT(files[1].text, HasSubstr(R"(<TextArea name="note" toName="video")"));
  const auto ranged = ask_files("label-studio", long_videos());
  EXPECT_THAT(ranged[1].text, HasSubstr(R"(<TimelineLabels name="ranges" toName="video">)"));
  EXPECT_THAT(ranged[1].text, HasSubstr(R"(<Label value="cut" hotkey="1" />)"));
  Questions both = clips();
  both.items[0].kind = AskedKind::ranges;
  EXPECT_THAT(error_of<UsageError>([&] { ask_files("label-studio", both); }),
              HasSubstr("a file for each of the two"));
}

TEST(LabelStudioAnswers, GuessesArePredictions) {
  const json tasks = json::parse(ask_files("label-studio", clips(), {.guesses = true})[0].text);
  EXPECT_EQ(tasks[0]["predictions"].dump(),
            R"([{"model_version":"distal","result":[{"from_name":"class","to_name":"video",)"
            R"("type":"choices","value":{"choices":["sew, \"up\" & <tie>"]}}],"score":0.7}])");
  EXPECT_FALSE(tasks[1].contains("predictions"));
}

json region_of(const char* name, const char* type, const json& value) {
  return {{"id", "x1"},   {"from_name", name}, {"to_name", "video"},
          {"type", type}, {"value", value},    {"origin", "manual"}};
}

json choice_of(const char* name, const std::string& what) {
  return region_of(name, "choices", json::object({{"choices", json::array({what})}}));
}

// The tasks as Label Studio 1.x exports them, with these annotations of the first one.
json exported(const Questions& questions, const json& annotations) {
  json tasks = json::parse(ask_files("label-studio", questions)[0].text);
  for (size_t i = 0; i < tasks.size(); ++i) {
    tasks[i]["id"] = i + 1;
    tasks[i]["annotations"] = i == 0 ? annotations : json::array();
    for (const char* key : {"drafts", "predictions", "comment_authors"})
      tasks[i][key] = json::array();
    tasks[i]["project"] = 3;
    tasks[i]["total_annotations"] = tasks[i]["annotations"].size();
  }
  return tasks;
}

json annotation_by(const json& by, const json& result, bool cancelled = false) {
  return {{"id", 41},
          {"completed_by", by},
          {"result", result},
          {"was_cancelled", cancelled},
          {"ground_truth", false},
          {"created_at", "2026-01-02T03:04:05.678901Z"},
          {"updated_at", "2026-01-02T03:05:00.000000Z"},
          {"lead_time", 4.25},
          {"prediction", json::object()},
          {"unique_id", "0f6b9a3e-1111-2222-3333-444455556666"}};
}

TEST(LabelStudioAnswers, ReadsAnnotationsOfSeveralPeople) {
  const json note = region_of("note", "textarea", {{"text", {"one", "two"}}});
  const auto read = read_answers(
      "",
      exported(
          clips(),
          json::array({annotation_by(7, {choice_of("class", "rest"), note}),
                       annotation_by({{"id", 8}, {"email", "kim@example.org"}},
                                     {choice_of("class", "cut"), choice_of("unsure", "unsure")}),
                       annotation_by({{"id", 9}}, json::array(), true)}))
          .dump(),
      "f.json", clips());
  EXPECT_THAT(refused(read), IsEmpty());
  const std::string when = " 2026-01-02T03:04:05.678Z 4.25 s";
  EXPECT_THAT(said(read.answers),
              ElementsAre(kA + " 7 rest 'one\ntwo'" + when,
                          kA + " kim@example.org cut unsure" + when, kA + " 9  skipped" + when));
  EXPECT_EQ(read.answers[0].id, "41");
  EXPECT_EQ(read.answers[0].place, "f.json: task 1, annotation 41");
  EXPECT_EQ(read.unanswered, 2);
}

TEST(LabelStudioAnswers, ReadsRangesAtTheRateOfTheirTimeLine) {
  const auto range = [](int64_t first, int64_t last, const char* label) {
    return region_of("ranges", "timelinelabels",
                     {{"ranges", json::array({{{"start", first}, {"end", last}}})},
                      {"timelinelabels", json::array({label})}});
  };
  json tasks =
      exported(long_videos(),
               json::array({annotation_by(1, {range(26, 50, "cut"), range(51, 90000, "rest")})}));
  // 60.01 s at 30 a second: the time line has a frame of which only a part exists.
  tasks[1]["annotations"] = json::array({annotation_by(1, json::array({range(1, 1801, "cut")}))});
  const auto read = read_answers("", tasks.dump(), "f", long_videos());
  EXPECT_THAT(refused(read), IsEmpty());
  const std::string when = " 2026-01-02T03:04:05.678Z 4.25 s";
  EXPECT_THAT(said(read.answers),
              ElementsAre(kA + " 1 " + when + " [1.0000 2.0000 cut] [2.0000 3600.0000 rest]",
                          kC + " 1 " + when + " [0.0000 60.0100 cut]"));
}

TEST(LabelStudioAnswers, RefusesByAnnotationAndKeepsTheRest) {
  auto late = annotation_by(5, json::array({choice_of("class", "cut")}));
  late["created_at"] = "soon";
  auto endless = annotation_by(6, json::array({choice_of("class", "cut")}));
  endless["lead_time"] = "long";
  json tasks = exported(
      clips(),
      json::array({annotation_by(1, json::array({choice_of("class", "cut")})),
                   annotation_by(1, json::array({choice_of("class", "cut")})),
                   annotation_by(2, {choice_of("class", "cut"), choice_of("class", "rest")}),
                   annotation_by(3, json::array({choice_of("class", "sow")})),
                   annotation_by(4, json::array({region_of("box", "videorectangle",
                                                           {{"sequence", json::array()}})})),
                   late, endless, annotation_by(nullptr, json::array({choice_of("class", "cut")})),
                   annotation_by(7, "nothing"), 5}));
  tasks[1]["data"].erase("clip");
  tasks[2]["data"]["clip"] = "ff@0-1";
  tasks.push_back({{"id", 9}, {"text", "no task"}});
  const auto read = read_answers("", tasks.dump(), "f", clips());
  EXPECT_THAT(read.answers, SizeIs(1));
  EXPECT_THAT(
      refused(read),
      ElementsAre(HasSubstr("1 has answered about this clip in f: task 1, annotation 41"),
                  HasSubstr("an answer with two classes, where one is asked (cut and rest)"),
                  HasSubstr("'sow' is no class"), HasSubstr("no class; write one of"),
                  HasSubstr("answered at 'soon'"), HasSubstr("'\"long\"' is no number of seconds"),
                  HasSubstr("nobody is named"), HasSubstr("an annotation without a result"),
                  HasSubstr("an annotation without a result"),
                  StartsWith("f: task 2: no clip is named"),
                  StartsWith("f: task 3: nobody asked about the clip 'ff@0-1'"),
                  StartsWith("f: task 9: neither a task")));
  EXPECT_THAT(read.notes, ElementsAre(HasSubstr("1 regions of other kinds")));
}

TEST(LabelStudioAnswers, ReadsJsonMin) {
  const auto record = [](const std::string& clip, const json& more) {
    json all = {{"video", "a.mp4"},
                {"clip", clip},
                {"fps", 25},
                {"id", 1},
                {"annotation_id", 12},
                {"annotator", 7},
                {"created_at", "2026-01-02T03:04:05.678901Z"},
                {"updated_at", "x"},
                {"lead_time", 4.25}};
    all.update(more);
    return all;
  };
  const json records = {
      record(kA, {{"class", "cut"}, {"unsure", "unsure"}, {"note", "one line"}}),
      record(kB, {{"class", {{"choices", {"rest"}}}}, {"annotator", "kim@example.org"}}),
      record(kC, {{"annotation_id", nullptr}, {"annotator", nullptr}}),
      record(kA, {{"class", {{"choices", {"cut", "rest"}}}}, {"annotator", 8}})};
  const auto read = read_answers("", records.dump(), "f", clips());
  const std::string when = " 2026-01-02T03:04:05.678Z 4.25 s";
  EXPECT_THAT(said(read.answers), ElementsAre(kA + " 7 cut unsure 'one line'" + when,
                                              kB + " kim@example.org rest" + when));
  EXPECT_THAT(refused(read), ElementsAre(HasSubstr("with several labels")));
  EXPECT_EQ(read.unanswered, 1);
  const json ranged = json::array(
      {record(kA, {{"ranges", json::array({{{"ranges", json::array({{{"start", 1}, {"end", 25}}})},
                                            {"timelinelabels", json::array({"cut"})}}})}})});
  EXPECT_THAT(said(read_answers("", ranged.dump(), "f", long_videos()).answers),
              ElementsAre(kA + " 7 " + when + " [0.0000 1.0000 cut]"));
}

// CVAT

TEST(CvatAnswers, AsksATaskAClip) {
  Questions questions = clips();
  const auto files = ask_files("cvat", questions, {.project = "study one"});
  ASSERT_THAT(files, SizeIs(1));
  const json all = json::parse(files[0].text);
  EXPECT_EQ(all["project"]["name"], "study one");
  ASSERT_THAT(all["project"]["labels"], SizeIs(4));
  EXPECT_EQ(all["project"]["labels"][1]["name"], "sew, \"up\" & <tie>");
  EXPECT_EQ(all["project"]["labels"][1]["type"], "tag");
  EXPECT_EQ(all["project"]["labels"][3]["name"], "(skipped)");
  EXPECT_EQ(all["project"]["labels"][0]["attributes"][0].dump(),
            R"({"default_value":"false","input_type":"checkbox","mutable":false,"name":"unsure",)"
            R"("values":["false"]})");
  ASSERT_THAT(all["tasks"], SizeIs(3));
  EXPECT_EQ(all["tasks"][1].dump(),
            R"({"data":{"image_quality":90,"server_files":["a/op 1.mp4"],"start_frame":50,)"
            R"("stop_frame":99},"task":{"name":")" +
                kB + R"("}})");
  EXPECT_FALSE(all["tasks"][2]["data"].contains("start_frame"));  // the whole video
  questions.items[0].first_frame = -1;
  EXPECT_THAT(error_of<UsageError>([&] { ask_files("cvat", questions); }),
              HasSubstr("CVAT counts frames"));
}

std::string cvat_task(int id, const std::string& name, const std::string& user) {
  return fmt::format(
      "<task><id>{}</id><name>{}</name><size>50</size><mode>interpolation</mode>"
      "<updated>2026-01-02 03:04:05.678901+00:00</updated><start_frame>0</start_frame>"
      "<stop_frame>49</stop_frame><frame_filter></frame_filter><owner><username>boss</username>"
      "</owner><assignee>{}</assignee><source>a.mp4</source></task>\n",
      id, name, user.empty() ? "" : "<username>" + user + "</username><email></email>");
}

std::string cvat_tag(int task, int frame, const std::string& label, const char* unsure = "false",
                     const char* note = "") {
  return fmt::format(
      "  <image id=\"{}\" name=\"frame_{:06}\" subset=\"default\" task_id=\"{}\" width=\"9\" "
      "height=\"9\">\n    <tag label=\"{}\" source=\"manual\">\n      <attribute "
      "name=\"unsure\">{}</attribute>\n      <attribute name=\"note\">{}</attribute>\n    </tag>\n"
      "  </image>\n",
      frame, frame, task, label, unsure, note);
}

std::string cvat_project(const std::string& tasks, const std::string& body) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n"
         "<meta><project><id>3</id><name>study</name><tasks>\n" +
         tasks + "</tasks></project></meta>\n" + body + "</annotations>\n";
}

TEST(CvatAnswers, ReadsTheTagsOfAProject) {
  const std::string text = cvat_project(
      cvat_task(5, kA, "kim") + cvat_task(6, kB, "") + cvat_task(7, kC, "lee"),
      cvat_tag(5, 3, "sew, &quot;up&quot; &amp; &lt;tie&gt;", "true", "a &amp; b") +
          cvat_tag(5, 9, "sew, &quot;up&quot; &amp; &lt;tie&gt;") + cvat_tag(7, 0, "(skipped)"));
  const auto read = read_answers("", text, "f.xml", clips(), {.person = "boss"});
  EXPECT_THAT(refused(read), IsEmpty());
  const std::string when = " 2026-01-02T03:04:05.678Z";
  EXPECT_THAT(said(read.answers), ElementsAre(kA + " kim sew, \"up\" & <tie> unsure 'a & b'" + when,
                                              kC + " lee  skipped" + when));
  EXPECT_EQ(read.unanswered, 1);
  EXPECT_EQ(read.answers[0].source, "cvat");
}

TEST(CvatAnswers, ReadsATaskByItself) {
  const std::string tag = "<image id=\"0\" name=\"f\"><tag label=\"cut\"/></image>";
  const std::string text =
      "<annotations><meta>" + cvat_task(5, kA, "") + "</meta>" + tag + "</annotations>";
  EXPECT_THAT(said(read_answers("", text, "f", clips(), {.person = "kim"}).answers),
              ElementsAre(kA + " kim cut 2026-01-02T03:04:05.678Z"));
  EXPECT_THAT(refused(read_answers("", text, "f", clips())),
              ElementsAre(HasSubstr("nobody is named")));
}

TEST(CvatAnswers, RefusesByTaskAndKeepsTheRest) {
  const std::string text = cvat_project(
      cvat_task(1, kA, "kim") + cvat_task(2, kB, "kim") + cvat_task(3, "ff@0-1", "kim") +
          cvat_task(4, kA, "kim") + cvat_task(5, kC, "kim"),
      cvat_tag(1, 0, "cut") + cvat_tag(2, 0, "cut") + cvat_tag(2, 1, "rest") +
          cvat_tag(3, 0, "cut") + cvat_tag(4, 0, "rest") + cvat_tag(5, 0, "sow") +
          "<image id=\"1\" name=\"f\" task_id=\"5\"><box label=\"cut\"/></image>");
  const auto read = read_answers("", text, "f", clips());
  EXPECT_THAT(said(read.answers), ElementsAre(kA + " kim cut 2026-01-02T03:04:05.678Z"));
  EXPECT_THAT(refused(read), ElementsAre(HasSubstr("has the labels 'cut' and 'rest'"),
                                         HasSubstr("nobody asked about the clip 'ff@0-1'"),
                                         HasSubstr("kim has answered about this clip in f:"),
                                         HasSubstr("'sow' is no class")));
  EXPECT_THAT(read.notes, ElementsAre(HasSubstr("1 shapes")));
  const std::string broken =
      cvat_project(cvat_task(1, kA, "kim") + cvat_task(2, kB, "kim"),
                   "<image id=\"one\" name=\"f\" task_id=\"1\"><tag label=\"cut\"/></image>" +
                       cvat_tag(2, 0, "cut"));
  const auto rest = read_answers("", broken, "f", clips());
  EXPECT_THAT(rest.answers, SizeIs(1));
  EXPECT_THAT(refused(rest), ElementsAre(HasSubstr("id is 'one', not the number of a frame")));
}

TEST(CvatAnswers, ReadsRangesFromTracksAndTags) {
  std::string body =
      "<track id=\"0\" label=\"cut\" source=\"manual\" task_id=\"5\">"
      "<box frame=\"25\" outside=\"0\" keyframe=\"1\"/><box frame=\"50\" outside=\"1\"/></track>"
      "<track id=\"1\" label=\"cut\" task_id=\"5\"><box frame=\"50\" outside=\"0\"/>"
      "<box frame=\"75\" outside=\"1\"/></track>";
  for (int frame = 100; frame < 125; ++frame) body += cvat_tag(5, frame, "rest");
  const std::string text = cvat_project(cvat_task(5, kA, "kim"), body);
  const std::string when = " 2026-01-02T03:04:05.678Z";
  EXPECT_THAT(said(read_answers("", text, "f", long_videos()).answers),
              ElementsAre(kA + " kim " + when + " [1.0000 3.0000 cut] [4.0000 5.0000 rest]"));
  // The true times of a variable rate.
  const auto doubled = [](const AskedItem&, int64_t frame) { return frame / 12.5; };
  EXPECT_THAT(said(read_answers("", text, "f", long_videos(), {.time_of_frame = doubled}).answers),
              ElementsAre(kA + " kim " + when + " [2.0000 6.0000 cut] [8.0000 10.0000 rest]"));
  Questions unknown = long_videos();
  unknown.items[0].frame_rate = 0;
  EXPECT_THAT(refused(read_answers("", text, "f", unknown)),
              ElementsAre(HasSubstr("frame rate is not known")));
}

TEST(CvatAnswers, WhatIsWrittenReadsBack) {
  std::vector<GivenAnswer> answers = many_answers();
  for (GivenAnswer& answer : answers) answer.seconds.reset();  // CVAT knows none
  answers[0].note += "\r\n<end>";
  const AskFile file = answer_file("cvat", clips(), answers, {.project = "a & b"});
  EXPECT_EQ(file.ending, ".xml");
  EXPECT_THAT(file.text, HasSubstr("<name>a &amp; b</name>"));
  const auto read = read_answers("", file.text, "f", clips());
  EXPECT_THAT(refused(read), IsEmpty());
  EXPECT_THAT(said(read.answers), testing::UnorderedElementsAreArray(said(answers)));
  const auto none = read_answers("", answer_file("cvat", clips(), {}).text, "f", clips());
  EXPECT_THAT(none.answers, IsEmpty());
  EXPECT_EQ(none.unanswered, 3);
  Questions alike = clips();
  alike.classes[2] = "(skipped)";
  EXPECT_THAT(error_of<UsageError>([&] { answer_file("cvat", alike, {}); }),
              HasSubstr("name it otherwise"));
}

TEST(CvatAnswers, RangesThatAreWrittenReadBack) {
  GivenAnswer some = given(kA, "1", "");
  some.ranges = {{1.0, 2.4, "cut"}, {2.0, 3600, "rest"}};
  some.unsure = true;
  GivenAnswer skipped = given(kC, "2", "");
  skipped.skipped = true;
  some.seconds.reset();
  skipped.seconds.reset();
  const AskFile file = answer_file("cvat", long_videos(), {some, skipped});
  const auto read = read_answers("", file.text, "f", long_videos());
  EXPECT_THAT(refused(read), IsEmpty());
  EXPECT_THAT(said(read.answers), testing::UnorderedElementsAreArray(said({some, skipped})));
  // The true times of a variable rate.
  AskFileOptions doubled;
  doubled.frame_at = [](const AskedItem&, double seconds) { return std::llround(seconds * 12.5); };
  ReadAnswersOptions halved;
  halved.time_of_frame = [](const AskedItem&, int64_t frame) { return frame / 12.5; };
  some.ranges = {{2.0, 6.0, "cut"}};
  const AskFile varied = answer_file("cvat", long_videos(), {some}, doubled);
  EXPECT_THAT(varied.text, HasSubstr("frame=\"25\""));
  EXPECT_THAT(said(read_answers("", varied.text, "f", long_videos(), halved).answers),
              ElementsAre(said(some)));
  Questions unknown = long_videos();
  unknown.items[0].frame_rate = 0;
  EXPECT_THAT(error_of<UsageError>([&] { answer_file("cvat", unknown, {some}); }),
              HasSubstr("are not known"));
}

TEST(CvatAnswers, WhatIsNoExportOfATaskIsRefused) {
  const auto refusal = [](const std::string& text) {
    return error_of([&] { read_answers("cvat", text, "f", clips()); });
  };
  EXPECT_THAT(refusal("<html/>"), HasSubstr("<html> where <annotations> was expected"));
  EXPECT_THAT(refusal("<annotations>\n<meta><job><id>1</id></job></meta></annotations>"),
              StartsWith("f:2: a job, which does not name its task"));
  EXPECT_THAT(refusal("<annotations/>"), HasSubstr("no <task> in <meta>"));
  EXPECT_THAT(refusal(cvat_project(cvat_task(1, kA, "kim"), cvat_tag(2, 0, "cut"))),
              HasSubstr("of task '2', which <meta> does not have"));
}

}  // namespace
}  // namespace distal
