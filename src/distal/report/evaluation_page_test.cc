#include "distal/report/evaluation_page.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/lists/csv.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ModelAnswers answers_of_test(const std::string& model, int64_t every) {
  ModelAnswers of{model, {"cut", "sew <b>"}, {}, {}, {}};
  for (int64_t i = 0; i < 24; ++i) {
    Clip clip;
    clip.video = clip.video_id = fmt::format("v{}.mp4", i / 2);
    clip.group = fmt::format("patient {}", i / 3);
    clip.start_s = static_cast<double>(i % 2);
    clip.end_s = clip.start_s + 1;
    const bool second = i % 2 == 1;
    const bool right = i % every != 0;
    of.clips.push_back({clip.video, i == 5 ? "burn" : second ? "sew <b>" : "cut", clip});
    of.predicted.push_back(second == right ? 1 : 0);
    of.probabilities.push_back(of.predicted.back() == 0 ? 0.625 : 0.375);
    of.probabilities.push_back(of.predicted.back() == 1 ? 0.625 : 0.375);
  }
  return of;
}

EvaluationReport report_of_test(bool two) {
  EvaluationReport report;
  report.list = {"lists/elsewhere.csv", 26, 1, 0, true, {{"bad.mp4", "bad.mp4: no video"}}, {}};
  report.model = evaluate(answers_of_test("a/first.onnx", 4), Random(1), 100);
  if (two) {
    report.against = evaluate(answers_of_test("b/second.onnx", 3), Random(1), 100);
    report.paired = compare(report.model, *report.against, Random(1), 100);
  }
  report.date = "2026-01-02 03:04 UTC";
  return report;
}

TEST(EvaluationPage, SaysWhatWasMeasuredAndWhatLimitsIt) {
  const std::string page = evaluation_html(report_of_test(true), {});
  for (const char* id : {"scores", "against", "classes", "groups", "calibration", "worst", "data"})
    EXPECT_THAT(page, HasSubstr(fmt::format("id=\"{}\"", id)));
  EXPECT_THAT(page, HasSubstr("first.onnx on elsewhere.csv"));
  EXPECT_THAT(page, HasSubstr("burn (1)"));
  EXPECT_THAT(page, HasSubstr("bad.mp4: no video"));
  EXPECT_THAT(page, HasSubstr("sew &lt;b&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("sew <b>")));
  EXPECT_THAT(evaluation_html(report_of_test(false), {}), Not(HasSubstr("id=\"against\"")));
}

TEST(EvaluationPage, GivesTheSameNumbersAsJson) {
  const EvaluationReport report = report_of_test(true);
  const auto json = nlohmann::json::parse(evaluation_json(report));
  EXPECT_EQ(json["model"]["clips"], 23);
  EXPECT_EQ(json["model"]["scores"]["accuracy"], report.model.scores.accuracy);
  EXPECT_EQ(json["model"]["unknown_labels"][0]["label"], "burn");
  EXPECT_EQ(json["model"]["over_groups"]["clusters"], 8);
  EXPECT_EQ(json["paired"]["clips"], 23);
  EXPECT_EQ(json["paired"]["difference"]["accuracy"],
            report.paired->a.accuracy - report.paired->b.accuracy);
  EXPECT_EQ(json["unreadable"].size(), 1);
}

TEST(EvaluationPage, WritesEveryPredictionToTheLastDigit) {
  const EvaluationReport report = report_of_test(false);
  const auto records = parse_csv(predictions_csv(report.model), "predictions.csv");
  ASSERT_EQ(records.size(), 25U);
  EXPECT_THAT(records[0].fields[8], "p:cut");
  EXPECT_EQ(records[6].fields[4], "burn");
  EXPECT_EQ(records[6].fields[7], "") << "no class of the model";
  EXPECT_EQ(records[1].fields[7], "0");
  EXPECT_EQ(records[2].fields[7], "1");
  EXPECT_EQ(records[1].fields[8], "0.375");
}

TEST(EvaluationPage, IsWrittenAsFiles) {
  const TemporaryFolder folder;
  write_evaluation(folder / "deep/er", report_of_test(true), {});
  for (const char* name :
       {"evaluation.html", "evaluation.json", "predictions.csv", "predictions-against.csv"})
    EXPECT_TRUE(std::filesystem::exists(folder / "deep/er/" + name)) << name;
  EXPECT_THAT(evaluation_text(report_of_test(true)), HasSubstr("McNemar"));
}

}  // namespace
}  // namespace distal
