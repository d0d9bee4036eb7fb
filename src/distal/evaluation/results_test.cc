#include "distal/evaluation/results.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>
#include <variant>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Metrics some_metrics() {
  Metrics metrics{.accuracy = 0.75,
                  .video_accuracy = 0.8,
                  .mean_class_accuracy = 0.7,
                  .nll = 0.61,
                  .ece = 0.05,
                  .confusion = {{3, 1}, {0, 4}},
                  .calibration = {{5, 0.9, 0.8}, {3, 0.6, 0.5}},
                  .correct = {1, 0, 1, 1}};
  Clip clip;
  clip.video = "a\"b\\größe.mp4";
  clip.video_id = "00ff";
  clip.start_s = 1.5;
  clip.label = 1;
  metrics.worst.push_back({clip, 0, 0.01});
  return metrics;
}

Results some_results() {
  Results results;
  results.question = "Is it better?";
  results.classes = {"walk", "run"};
  results.budget_unit = "seconds";
  results.people = {{"ann", 12, 3.5, 4, 3, 0.5}, {"bob", 1, 0.25, 0, 0}};
  RoundResult round{2, 30, 12.5, 0.4, 1, 2, 3, 4, 5, 800, 0.9};
  round.metrics = some_metrics();
  results.trials = {{"badge", 3, false, {round, round}}, {"random", 3, true, {}}};
  results.quarantined = {{"bad.mp4", "no frame"}};
  results.unlabelled_segments = 7;
  results.test_clips = 4;
  results.teacher_accuracy = 0.93;
  results.test_groups = {"x", "y"};
  results.test_id = "00c0ffee00c0ffee";
  results.notes = {"careful"};
  results.recipe = "name: x\n";
  return results;
}

TEST(Results, SurviveJsonWithoutLoss) {
  const Results results = some_results();
  const Results read = results_from_json(to_json(results));
  EXPECT_EQ(to_json(read), to_json(results));
  ASSERT_EQ(read.trials.size(), 2U);
  const auto& round = read.trials[0].rounds.at(1);
  EXPECT_EQ(round.answers, 30);
  EXPECT_EQ(round.evaluate_s, 5);
  EXPECT_EQ(round.answer_accuracy, 0.9);
  EXPECT_EQ(round.metrics.confusion, (std::vector<std::vector<int64_t>>{{3, 1}, {0, 4}}));
  EXPECT_THAT(round.metrics.correct, ElementsAre(1, 0, 1, 1));
  EXPECT_EQ(round.metrics.calibration.at(1).clips, 3);
  EXPECT_EQ(round.metrics.worst.at(0).clip.video, "a\"b\\größe.mp4");
  EXPECT_TRUE(std::isinf(round.metrics.worst.at(0).clip.end_s));
  EXPECT_TRUE(read.trials[1].control);
  EXPECT_EQ(read.quarantined.at(0).reason, "no frame");
  EXPECT_EQ(read.budget_unit, "seconds");
  ASSERT_EQ(read.people.size(), 2u);
  EXPECT_EQ(read.people[0].same, 3);
  EXPECT_EQ(read.people[0].kappa, 0.5);
  EXPECT_TRUE(std::isnan(read.people[1].kappa));
  EXPECT_EQ(read.test_id, "00c0ffee00c0ffee");
}

TEST(Results, SayHowTheStartWasDrawnAndWhomATeacherTaught) {
  Results results = some_results();
  results.teacher = "endpoint http://127.0.0.1";
  results.start_draw = "40 drawn at random";
  results.trials[1].taught = true;
  const Results read = results_from_json(to_json(results));
  EXPECT_EQ(read.start_draw, "40 drawn at random");
  EXPECT_FALSE(read.trials[0].taught);
  EXPECT_TRUE(read.trials[1].taught);
  // An older version did not say: whoever had asked was taught, unless the truth answered.
  auto value = nlohmann::json::parse(to_json(results));
  value.erase("start_draw");
  for (auto& trial : value["cells"]) trial.erase("taught");
  EXPECT_TRUE(results_from_json(value.dump()).trials[0].taught);
  EXPECT_FALSE(results_from_json(value.dump()).trials[1].taught);  // no round
  value["teacher"] = "hidden truth: the benchmark's own labels";
  EXPECT_FALSE(results_from_json(value.dump()).trials[0].taught);
}

TEST(Results, AnUnknownNumberIsNull) {
  Results results = some_results();
  results.teacher_accuracy = -1;
  results.trials[0].rounds[0].answer_accuracy = -1;
  const auto value = nlohmann::json::parse(to_json(results));
  EXPECT_TRUE(value.at("teacher_accuracy").is_null());
  const auto& round = value.at("cells").at(0).at("rounds").at(0);
  EXPECT_TRUE(round.at("answer_accuracy").is_null());
  EXPECT_TRUE(round.at("loss_fall").is_null());
  const Results read = results_from_json(value.dump());
  EXPECT_EQ(read.teacher_accuracy, -1);
  EXPECT_EQ(read.trials[0].rounds[0].answer_accuracy, -1);
  EXPECT_EQ(read.trials[0].rounds[1].answer_accuracy, 0.9);
}

TEST(Results, OlderOnesCallTheTestGroupsVideosAndAnUnknownNumberMinusOne) {
  auto value = nlohmann::json::parse(to_json(some_results()));
  value["test_videos"] = value["test_groups"];
  value["teacher_accuracy"] = -1;
  value["cells"][0]["rounds"][0]["answer_accuracy"] = -1;
  for (const char* key : {"test_groups", "test_classes", "people", "answered_twice"})
    ASSERT_EQ(value.erase(key), 1U);
  for (auto& trial : value["cells"]) {
    ASSERT_EQ(trial.erase("asked"), 1U);
    for (auto& round : trial["rounds"]) ASSERT_EQ(round.erase("loss_fall"), 1U);
  }
  const Results old = results_from_json(value.dump());
  EXPECT_THAT(old.test_groups, ElementsAre("x", "y"));
  EXPECT_EQ(old.teacher_accuracy, -1);
  EXPECT_EQ(old.trials[0].rounds[0].answer_accuracy, -1);
  EXPECT_TRUE(std::isnan(old.trials[0].rounds[0].loss_fall));
  EXPECT_TRUE(old.trials[0].asked.empty());
}

TEST(Results, SayWhatWasAskedAndWhoAnswered) {
  Results results = some_results();
  AskedClip asked;
  asked.clip.video = "a.mp4";
  asked.clip.label = 1;
  asked.answer = 0;
  asked.by = "ann";
  results.trials[0].asked = {{0, 30, {asked}}, {1, 8, {}}};
  results.people = {{"ann", 38}};
  results.answered_twice = 3;
  results.test_classes = {0, 1};
  const Results read = results_from_json(to_json(results));
  EXPECT_EQ(to_json(read), to_json(results));
  ASSERT_EQ(read.trials[0].asked.size(), 2U);
  EXPECT_EQ(read.trials[0].asked[0].clips, 30);
  EXPECT_EQ(read.trials[0].asked[0].shown.at(0).by, "ann");
  EXPECT_EQ(read.trials[0].asked[0].shown.at(0).answer, 0);
  EXPECT_EQ(read.people.at(0).answers, 38);
  EXPECT_EQ(read.answered_twice, 3);
}

TEST(Results, OlderOnesDoNotSayWhichClipsTheyWereTestedOn) {
  auto value = nlohmann::json::parse(to_json(some_results()));
  ASSERT_EQ(value.erase("test_id"), 1U);
  const Results old = results_from_json(value.dump());
  EXPECT_EQ(old.test_id, "");
  EXPECT_THAT(old.test_groups, ElementsAre("x", "y"));
}

TEST(Results, TestClipsAreKnownByContentSpanLabelAndOrder) {
  std::vector<Clip> clips(2);
  clips[0] = {"here/a.mp4", "aa", 0, 8, "a", 1};
  clips[1] = {"here/a.mp4", "aa", 8, 16, "a", 0};
  const std::string id = test_id_of(clips);
  EXPECT_EQ(id.size(), 16U);
  const auto changed = [&](const auto& change) {
    auto other = clips;
    change(other);
    return test_id_of(other);
  };
  EXPECT_EQ(changed([](auto& c) { c[0].video = "elsewhere/b.mp4"; }),
            id);  // the same content under another name
  EXPECT_NE(changed([](auto& c) { c[0].video_id = "bb"; }), id);
  EXPECT_NE(changed([](auto& c) { c[1].start_s = 9; }), id);
  EXPECT_NE(changed([](auto& c) { c[1].label = 1; }), id);
  EXPECT_NE(changed([](auto& c) { std::swap(c[0], c[1]); }), id);
  EXPECT_NE(changed([](auto& c) { c.pop_back(); }), id);
}

TEST(Results, ARoundSurvivesJsonAlone) {
  const RoundResult round = some_results().trials[0].rounds[0];
  EXPECT_EQ(to_json(round_from_json(to_json(round))), to_json(round));
  EXPECT_EQ(to_json(round).find('\n'), std::string::npos);  // one line, for a database or a log
}

/// A round whose numbers are 1, 2, 3 ... in the order of kRoundFields.
RoundResult counted_round() {
  RoundResult round;
  int64_t next = 0;
  for (const RoundField& row : kRoundFields) {
    ++next;
    const auto set = [&](auto of) {
      if constexpr (std::is_same_v<decltype(of), double Metrics::*>) {
        round.metrics.*of = static_cast<double>(next);
      } else {
        round.*of = next;
      }
    };
    std::visit(set, row.member);
  }
  return round;
}

TEST(Results, EveryNumberOfARoundSurvivesJson) {
  const RoundResult read = round_from_json(to_json(counted_round()));
  double next = 0;
  for (const RoundField& row : kRoundFields) EXPECT_EQ(row.value(read), ++next) << row.name;
}

TEST(Results, EveryNumberOfARoundHasItsOwnName) {
  std::set<std::string> names;
  for (const RoundField& row : kRoundFields) EXPECT_TRUE(names.insert(row.name).second) << row.name;
}

TEST(Results, ANumberThatIsMissingIsRefusedUnlessItIsYoungerThanTheFormat) {
  const auto whole = nlohmann::json::parse(to_json(counted_round()));
  for (const RoundField& row : kRoundFields) {
    auto older = whole;
    const bool found = older.erase(row.name) + older["metrics"].erase(row.name) == 1;
    EXPECT_TRUE(found) << row.name;
    if (row.before) {
      const double value = row.value(round_from_json(older.dump()));
      EXPECT_TRUE(value == *row.before || (std::isnan(value) && std::isnan(*row.before)))
          << row.name;
    } else {
      EXPECT_THAT(error_of([&] { round_from_json(older.dump()); }),
                  HasSubstr(std::string(row.name) + " is missing"));
    }
  }
}

// Results as format 1 began: what was added later is not in it.
TEST(Results, TheFirstFormatIsStillRead) {
  const RoundResult round = round_from_json(
      R"({"round": 1, "answers": 16, "seconds": 4.5, "price": 0, "select_s": 1,
          "score_s": 2, "ask_s": 3, "train_s": 4, "evaluate_s": 5,
          "answer_accuracy": -1, "metrics": {"accuracy": 0.5,
          "video_accuracy": 0.6, "mean_class_accuracy": 0.7, "nll": 0.8, "ece": 0.9,
          "confusion": [[1]],
          "calibration": [], "correct": "1", "worst": []}})");
  EXPECT_EQ(round.answers, 16);
  EXPECT_EQ(round.evaluate_s, 5);
  EXPECT_EQ(round.forwards, 0);
  EXPECT_EQ(round.answer_accuracy, -1);
  EXPECT_EQ(round.metrics.ece, 0.9);
}

TEST(Results, AnUnknownNumberIsNotANumber) {
  RoundResult round;
  const auto answer_accuracy = [&] {
    const auto row =
        std::find_if(std::begin(kRoundFields), std::end(kRoundFields),
                     [](const RoundField& r) { return std::string(r.name) == "answer_accuracy"; });
    return row->value(round);
  };
  EXPECT_TRUE(std::isnan(answer_accuracy()));
  round.answer_accuracy = 0;
  EXPECT_EQ(answer_accuracy(), 0);
}

TEST(Results, NotANumberTravelsAsNull) {
  RoundResult round;
  round.metrics.nll = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(to_json(round), HasSubstr("\"nll\":null"));
  EXPECT_TRUE(std::isnan(round_from_json(to_json(round)).metrics.nll));
}

TEST(Results, MetricsCarryTheRatesOfEachClass) {
  const std::string json = to_json(some_metrics(), {"walk", "run"});
  EXPECT_THAT(json, HasSubstr("\"class\": \"run\""));
  EXPECT_THAT(json, HasSubstr("\"recall\": 0.75"));    // walk: 3 of 4
  EXPECT_THAT(json, HasSubstr("\"precision\": 0.8"));  // run: 4 of 5
  EXPECT_EQ(metrics_from_json(json).accuracy, 0.75);
}

TEST(Results, AFieldThatIsMissingIsNamed) {
  EXPECT_THAT(error_of([] { round_from_json("{\"round\": 1}"); }), HasSubstr("answers"));
  EXPECT_THROW(results_from_json("nonsense"), Error);
  EXPECT_THROW(results_from_json("{\"format\": 9}"), Error);
}

TEST(Results, AFieldOfAnotherKindIsNamedInOurWords) {
  const auto refusal = [](const char* pointer, const nlohmann::json& value) {
    auto results = nlohmann::json::parse(to_json(some_results()));
    results[nlohmann::json::json_pointer(pointer)] = value;
    return error_of([&] { results_from_json(results.dump()); });
  };
  constexpr const char* kCure = "; write it again with this version of distal";
  EXPECT_EQ(refusal("/cells/0/rounds/0/answers", 1e300),
            std::string("results: answers is 1e+300 instead of a whole number") + kCure);
  EXPECT_EQ(
      refusal("/cells/0/rounds/0/answers", -9223372036854775807),
      std::string("results: answers is -9223372036854775807 instead of a whole number") + kCure);
  EXPECT_EQ(
      refusal("/cells/0/rounds/0/metrics/confusion/0/0", 18446744073709551615ULL),
      std::string("results: confusion is 18446744073709551615 instead of a whole number") + kCure);
  EXPECT_EQ(refusal("/cells/0/rounds/0/metrics/confusion", "no"),
            std::string("results: confusion is \"no\" instead of a list") + kCure);
  EXPECT_EQ(refusal("/cells/0/rounds/0/metrics/correct", 1),
            std::string("results: correct is 1 instead of text") + kCure);
  EXPECT_EQ(refusal("/cells/0/rounds/0/metrics", {1}),
            std::string("results: [1] instead of an object with accuracy") + kCure);
  EXPECT_EQ(refusal("/cells/0/rounds/0/price", "a"),
            std::string("results: price is \"a\" instead of a number") + kCure);
  EXPECT_EQ(refusal("/cells/0/control", 0),
            std::string("results: control is 0 instead of true or false") + kCure);
  EXPECT_EQ(refusal("/cells", nlohmann::json::object()),
            std::string("results: cells is {} instead of a list") + kCure);
  EXPECT_EQ(refusal("/test_id", 7), std::string("results: test_id is 7 instead of text") + kCure);
  EXPECT_EQ(refusal("/question", nullptr),
            std::string("results: question is null instead of text") + kCure);
}

TEST(Results, APathThatIsNoUtf8DoesNotStopTheReport) {
  Results results;
  results.quarantined = {{"bad\xFF.mp4", "no frame"}};
  EXPECT_NO_THROW(to_json(results));
}

}  // namespace
}  // namespace distal
