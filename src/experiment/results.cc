#include "experiment/results.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"

namespace distal {
namespace {

using nlohmann::json;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// JSON has no NaN: it is written as null, and null is read as NaN.
double real(const json& object, const char* key, double null = kNan) {
  const auto& value = object.at(key);
  return value.is_null() ? null : value.get<double>();
}

std::string dump(const json& value, int indent = -1) { return value.dump(indent, ' ', false, json::error_handler_t::replace); }

json parse(const std::string& text, const char* what) {
  try {
    return json::parse(text);
  } catch (const json::exception& e) {
    fail("{}: not JSON ({}), write the file again with `distal report`", what, e.what());
  }
}

/// Runs `read`; a missing or wrong field becomes an Error that names it.
template <class Read>
auto reading(const char* what, const Read& read) {
  try {
    return read();
  } catch (const json::exception& e) {
    fail("{}: {}, write it again with this version of distal", what, e.what());
  }
}

json to_value(const Clip& clip) {
  return {{"video", clip.video}, {"video_id", clip.video_id}, {"start_s", clip.start_s}, {"end_s", clip.end_s}, {"group", clip.group},
      {"label", clip.label}};
}

Clip clip_from(const json& value) {
  Clip clip;
  clip.video = value.at("video").get<std::string>();
  clip.video_id = value.at("video_id").get<std::string>();
  clip.start_s = real(value, "start_s");
  clip.end_s = real(value, "end_s", kInfinity);
  clip.group = value.at("group").get<std::string>();
  clip.label = value.at("label");
  return clip;
}

json to_value(const Metrics& metrics) {
  json calibration = json::array(), worst = json::array();
  for (const auto& bin : metrics.calibration) calibration.push_back({{"clips", bin.clips}, {"confidence", bin.confidence},
      {"accuracy", bin.accuracy}});
  for (const auto& row : metrics.worst) {
    worst.push_back({{"clip", to_value(row.clip)}, {"predicted", row.predicted}, {"probability_of_truth", row.probability_of_truth}});
  }
  std::string correct;
  for (const auto right : metrics.correct) correct += right ? '1' : '0';
  return {{"accuracy", metrics.accuracy}, {"video_accuracy", metrics.video_accuracy}, {"mean_class_accuracy", metrics.mean_class_accuracy},
          {"nll", metrics.nll}, {"ece", metrics.ece}, {"confusion", metrics.confusion}, {"calibration", calibration},
          {"correct", correct}, {"worst", worst}};
}

Metrics metrics_from(const json& value) {
  Metrics metrics;
  metrics.accuracy = real(value, "accuracy");
  metrics.video_accuracy = real(value, "video_accuracy");
  metrics.mean_class_accuracy = real(value, "mean_class_accuracy");
  metrics.nll = real(value, "nll");
  metrics.ece = real(value, "ece");
  value.at("confusion").get_to(metrics.confusion);
  for (const auto& bin : value.at("calibration")) metrics.calibration.push_back({bin.at("clips"), real(bin, "confidence"),
      real(bin, "accuracy")});
  for (const char c : value.at("correct").get_ref<const std::string&>()) metrics.correct.push_back(c == '1');
  for (const auto& row : value.at("worst")) {
    metrics.worst.push_back({clip_from(row.at("clip")), row.at("predicted"), real(row, "probability_of_truth")});
  }
  return metrics;
}

json to_value(const RoundResult& round) {
  return {{"round", round.round}, {"answers", round.answers}, {"seconds", round.seconds}, {"price", round.price},
          {"select_s", round.select_s}, {"score_s", round.score_s}, {"ask_s", round.ask_s}, {"train_s", round.train_s},
          {"evaluate_s", round.evaluate_s}, {"forwards", round.forwards},
          {"answer_accuracy", round.answer_accuracy}, {"metrics", to_value(round.metrics)}};
}

RoundResult round_from(const json& value) {
  RoundResult round;
  round.round = value.at("round");
  round.answers = value.at("answers");
  round.forwards = value.value("forwards", int64_t{0});
  for (const auto& [key, field] : {std::pair{"seconds", &round.seconds}, {"price", &round.price}, {"select_s", &round.select_s},
      {"score_s", &round.score_s},
                                   {"ask_s", &round.ask_s}, {"train_s", &round.train_s}, {"evaluate_s", &round.evaluate_s},
                                   {"answer_accuracy", &round.answer_accuracy}}) {
    *field = real(value, key);
  }
  round.metrics = metrics_from(value.at("metrics"));
  return round;
}

json to_value(const Cell& cell) {
  json rounds = json::array();
  for (const auto& round : cell.rounds) rounds.push_back(to_value(round));
  return {{"arm", cell.arm}, {"seed", cell.seed}, {"control", cell.control}, {"against", cell.against}, {"taught", cell.taught},
          {"rounds", rounds}};
}

// Older versions did not say which arms a teacher taught: there an arm that asked a teacher did.
Cell cell_from(const json& value, bool has_teacher) {
  Cell cell{value.at("arm"), value.at("seed"), value.at("control"), {}, value.value("against", "")};
  cell.taught = value.value("taught", has_teacher && value.at("rounds").size() > 1);
  for (const auto& round : value.at("rounds")) cell.rounds.push_back(round_from(round));
  return cell;
}

/// Every text field of Results with its key, every count with its key.
template <class R, class Text, class Count>
void visit(R& results, const Text& text, const Count& count) {
  text("question", results.question);
  text("name", results.name);
  text("budget_unit", results.budget_unit);
  text("teacher", results.teacher);
  text("recipe", results.recipe);
  text("revision", results.revision);
  text("machine", results.machine);
  text("command", results.command);
  text("date", results.date);
  count("unlabelled_segments", results.unlabelled_segments);
  count("pool_clips", results.pool_clips);
  count("start_clips", results.start_clips);
  count("test_clips", results.test_clips);
}

json per_class(const Metrics& metrics, const std::vector<std::string>& classes) {
  json rows = json::array();
  const auto& confusion = metrics.confusion;
  for (size_t k = 0; k < confusion.size() && k < classes.size(); ++k) {
    int64_t clips = 0, predicted = 0;
    for (const auto count : confusion[k]) clips += count;
    for (const auto& row : confusion) predicted += row.at(k);
    const auto hits = static_cast<double>(confusion[k].at(k));
    const auto share = [&](int64_t of) { return of > 0 ? hits / static_cast<double>(of) : kNan; };
    const double f1 = clips + predicted > 0 ? 2 * hits / static_cast<double>(clips + predicted) : kNan;
    rows.push_back({{"class", classes[k]}, {"clips", clips}, {"recall", share(clips)}, {"precision", share(predicted)}, {"f1", f1}});
  }
  return rows;
}

}  // namespace

std::string test_id_of(const std::vector<Clip>& clips) {
  uint64_t hash = fnv1a("test");
  for (const Clip& clip : clips) hash = fnv1a(fmt::format("{}|{}\n", clip.key(), clip.label), hash);
  return fmt::format("{:016x}", hash);
}

std::string to_json(const Metrics& metrics, const std::vector<std::string>& classes) {
  json value = to_value(metrics);
  value["classes"] = classes;
  value["per_class"] = per_class(metrics, classes);
  return dump(value, 1);
}

Metrics metrics_from_json(const std::string& text) {
  return reading("metrics", [&] { return metrics_from(parse(text, "metrics")); });
}

std::string to_json(const RoundResult& round) { return dump(to_value(round)); }

RoundResult round_from_json(const std::string& text) {
  return reading("round", [&] { return round_from(parse(text, "round")); });
}

std::string to_json(const Results& results) {
  json value{{"format", 1}};
  const auto write = [&](const char* key, const auto& field) { value[key] = field; };
  visit(results, write, write);
  value["classes"] = results.classes;
  value["teacher_accuracy"] = results.teacher_accuracy;
  value["read_s"] = results.read_s;
  value["start_draw"] = results.start_draw;
  value["test_videos"] = results.test_videos;
  value["test_id"] = results.test_id;
  value["notes"] = results.notes;
  value["cells"] = json::array();
  for (const auto& cell : results.cells) value["cells"].push_back(to_value(cell));
  value["quarantined"] = json::array();
  for (const auto& row : results.quarantined) value["quarantined"].push_back({{"path", row.path}, {"reason", row.reason}});
  return dump(value, 1);
}

Results results_from_json(const std::string& text) {
  return reading("results", [&] {
    const json value = parse(text, "results");
    if (value.value("format", 0) != 1) fail("results: format {}, this version of distal reads format 1", value.value("format", 0));
    Results results;
    const auto read = [&](const char* key, auto& field) { value.at(key).get_to(field); };
    visit(results, read, read);
    value.at("classes").get_to(results.classes);
    results.teacher_accuracy = real(value, "teacher_accuracy");
    results.read_s = value.value("read_s", 0.0);
    results.start_draw = value.value("start_draw", "");
    const bool has_teacher = !results.teacher.empty() && !results.teacher.starts_with("hidden truth");
    value.at("test_videos").get_to(results.test_videos);
    results.test_id = value.value("test_id", "");
    value.at("notes").get_to(results.notes);
    for (const auto& cell : value.at("cells")) results.cells.push_back(cell_from(cell, has_teacher));
    for (const auto& row : value.at("quarantined")) results.quarantined.push_back({row.at("path"), row.at("reason")});
    return results;
  });
}

}  // namespace distal
