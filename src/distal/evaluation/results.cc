#include "distal/evaluation/results.h"

#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/json.h"
#include "distal/base/random.h"
#include "distal/base/text.h"

namespace distal {
namespace {

using nlohmann::json;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Reading: what is missing or of another kind is refused by its name. JSON has no NaN: it is
// written as null, and null is read as NaN.
constexpr int64_t kMostCount =
    int64_t{1} << 53;  // doubles hold it exactly, and sums of many such counts do not overflow

[[noreturn]] void refuse(const char* key, const json& value, const char* wanted) {
  fail("{} is {} instead of {}", key, excerpt(json_text(value), 60), wanted);
}

const json& member(const json& object, const char* key) {
  if (!object.is_object())
    fail("{} instead of an object with {}", excerpt(json_text(object), 60), key);
  const auto found = object.find(key);
  if (found == object.end()) fail("{} is missing", key);
  return *found;
}

void take(const json& value, const char* key, std::string& field) {
  if (!value.is_string()) refuse(key, value, "text");
  field = value.get<std::string>();
}

void take(const json& value, const char* key, bool& field) {
  if (!value.is_boolean()) refuse(key, value, "true or false");
  field = value.get<bool>();
}

void take(const json& value, const char* key, int64_t& field) {
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= uint64_t{kMostCount}
                        : value.is_number_integer() && value.get<int64_t>() >= -kMostCount;
  if (!fits) refuse(key, value, "a whole number");
  field = value.get<int64_t>();
}

void take(const json& value, const char* key, double& field) {
  if (!value.is_number() && !value.is_null()) refuse(key, value, "a number");
  field = value.is_null() ? kNan : value.get<double>();
}

const json& list(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_array()) refuse(key, value, "a list");
  return value;
}

template <class T>
void take(const json& value, const char* key, std::vector<T>& field) {
  if (!value.is_array()) refuse(key, value, "a list");
  field.resize(value.size());
  for (size_t i = 0; i < field.size(); ++i) take(value[i], key, field[i]);
}

template <class T>
T field(const json& object, const char* key) {
  T value{};
  take(member(object, key), key, value);
  return value;
}

template <class T>
T field(const json& object, const char* key, T absent) {
  return object.is_object() && object.contains(key) ? field<T>(object, key) : absent;
}

double real(const json& object, const char* key) { return field<double>(object, key); }

/// Parses and runs `read`; its Errors get the place before and the cure behind.
template <class Read>
auto reading(const std::string& text, const char* what, const Read& read) {
  const json value = parse_json(text, what);
  try {
    return read(value);
  } catch (const Error& error) {
    fail("{}: {}; write it again with this version of distal", what, error.what());
  }
}

json to_value(const Clip& clip) {
  return {{"video", clip.video}, {"video_id", clip.video_id}, {"start_s", clip.start_s},
          {"end_s", clip.end_s}, {"group", clip.group},       {"label", clip.label}};
}

Clip clip_from(const json& value) {
  Clip clip;
  clip.video = field<std::string>(value, "video");
  clip.video_id = field<std::string>(value, "video_id");
  clip.start_s = real(value, "start_s");
  clip.end_s = member(value, "end_s").is_null() ? std::numeric_limits<double>::infinity()
                                                : real(value, "end_s");
  clip.group = field<std::string>(value, "group");
  clip.label = field<int64_t>(value, "label");
  return clip;
}

// A number that stands for an unknown one is written as null, as NaN is.
json known(int64_t value, double) { return value; }
json known(double value, double unknown) { return value == unknown ? kNan : value; }

void take_known(const json& value, const char* key, double& field, double unknown) {
  take(value, key, field);
  if (std::isnan(field)) field = unknown;
}
void take_known(const json& value, const char* key, int64_t& field, double) {
  take(value, key, field);
}

// Those of kRoundFields that are members of `Object`: of a round, or of its metrics.
template <class Object>
void write_fields(json& value, const Object& object) {
  for (const RoundField& row : kRoundFields) {
    const auto write = [&](auto of) {
      if constexpr (std::is_invocable_v<decltype(of), const Object&>) {
        const bool absent =
            row.kind == RoundField::Kind::two && std::isnan(static_cast<double>(object.*of));
        if (!absent) value[row.name] = known(object.*of, row.unknown);
      }
    };
    std::visit(write, row.member);
  }
}

template <class Object>
void read_fields(const json& value, Object& object) {
  for (const RoundField& row : kRoundFields) {
    const auto read = [&](auto of) {
      if constexpr (std::is_invocable_v<decltype(of), Object&>) {
        auto& to = object.*of;
        if (row.before && value.is_object() && !value.contains(row.name))
          to = static_cast<std::decay_t<decltype(to)>>(*row.before);
        else
          take_known(member(value, row.name), row.name, to, row.unknown);
      }
    };
    std::visit(read, row.member);
  }
}

json to_value(const Metrics& metrics) {
  json calibration = json::array();
  json worst = json::array();
  for (const auto& bin : metrics.calibration)
    calibration.push_back(
        {{"clips", bin.clips}, {"confidence", bin.confidence}, {"accuracy", bin.accuracy}});
  for (const auto& row : metrics.worst) {
    worst.push_back({{"clip", to_value(row.clip)},
                     {"predicted", row.predicted},
                     {"probability_of_truth", row.probability_of_truth}});
  }
  std::string correct;
  for (const auto right : metrics.correct) correct += right ? '1' : '0';
  json value{{"confusion", metrics.confusion},
             {"calibration", calibration},
             {"correct", correct},
             {"worst", worst}};
  write_fields(value, metrics);
  return value;
}

Metrics metrics_from(const json& value) {
  Metrics metrics;
  read_fields(value, metrics);
  metrics.confusion = field<std::vector<std::vector<int64_t>>>(value, "confusion");
  for (const auto& bin : list(value, "calibration")) {
    metrics.calibration.push_back(
        {field<int64_t>(bin, "clips"), real(bin, "confidence"), real(bin, "accuracy")});
  }
  for (const char c : field<std::string>(value, "correct")) metrics.correct.push_back(c == '1');
  for (const auto& row : list(value, "worst")) {
    metrics.worst.push_back({clip_from(member(row, "clip")), field<int64_t>(row, "predicted"),
                             real(row, "probability_of_truth")});
  }
  return metrics;
}

json to_value(const RoundResult& round) {
  json value{{"metrics", to_value(round.metrics)}};
  write_fields(value, round);
  return value;
}

RoundResult round_from(const json& value) {
  RoundResult round;
  read_fields(value, round);
  round.metrics = metrics_from(member(value, "metrics"));
  return round;
}

json to_value(const AskedRound& asked) {
  json shown = json::array();
  for (const auto& one : asked.shown)
    shown.push_back({{"clip", to_value(one.clip)}, {"answer", one.answer}, {"by", one.by}});
  return {{"round", asked.round}, {"clips", asked.clips}, {"shown", shown}};
}

AskedRound asked_from(const json& value) {
  AskedRound asked{field<int64_t>(value, "round"), field<int64_t>(value, "clips"), {}};
  for (const auto& one : list(value, "shown"))
    asked.shown.push_back({clip_from(member(one, "clip")), field<int64_t>(one, "answer"),
                           field<std::string>(one, "by")});
  return asked;
}

json to_value(const Trial& trial) {
  json rounds = json::array();
  for (const auto& round : trial.rounds) rounds.push_back(to_value(round));
  json asked = json::array();
  for (const auto& round : trial.asked) asked.push_back(to_value(round));
  return {{"arm", trial.arm},
          {"seed", trial.seed},
          {"control", trial.control},
          {"against", trial.against},
          {"taught", trial.taught},
          {"rounds", rounds},
          {"asked", asked}};
}

// Older versions did not say which arms a teacher taught: there an arm that asked a teacher did.
Trial trial_from(const json& value, bool has_teacher) {
  Trial trial{field<std::string>(value, "arm"),
              field<int64_t>(value, "seed"),
              field<bool>(value, "control"),
              {},
              field<std::string>(value, "against", "")};
  trial.taught = field<bool>(value, "taught", has_teacher && list(value, "rounds").size() > 1);
  for (const auto& round : list(value, "rounds")) trial.rounds.push_back(round_from(round));
  if (!value.contains("asked")) return trial;
  for (const auto& round : list(value, "asked")) trial.asked.push_back(asked_from(round));
  return trial;
}

json to_value(const PersonResult& person) {
  return {{"name", person.name},       {"answers", person.answers}, {"minutes", person.minutes},
          {"repeats", person.repeats}, {"same", person.same},       {"kappa", person.kappa}};
}

PersonResult person_from(const json& value) {
  return {
      field<std::string>(value, "name"), field<int64_t>(value, "answers"), real(value, "minutes"),
      field<int64_t>(value, "repeats"),  field<int64_t>(value, "same"),    real(value, "kappa")};
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
    int64_t clips = 0;
    int64_t predicted = 0;
    for (const auto count : confusion[k]) clips += count;
    for (const auto& row : confusion) predicted += row.at(k);
    const auto hits = static_cast<double>(confusion[k].at(k));
    const auto share = [&](int64_t of) { return of > 0 ? hits / static_cast<double>(of) : kNan; };
    const double f1 =
        clips + predicted > 0 ? 2 * hits / static_cast<double>(clips + predicted) : kNan;
    rows.push_back({{"class", classes[k]},
                    {"clips", clips},
                    {"recall", share(clips)},
                    {"precision", share(predicted)},
                    {"f1", f1}});
  }
  return rows;
}

}  // namespace

double spent_of(const RoundResult& round, const std::string& budget_unit) {
  if (budget_unit == "seconds") return round.watched_s;
  if (budget_unit == "minutes")
    return round.people_minutes < 0 ? std::numeric_limits<double>::quiet_NaN()
                                    : round.people_minutes;
  return static_cast<double>(round.answers);
}

std::string test_id_of(const std::vector<Clip>& clips) {
  uint64_t hash = fnv1a("test");
  for (const Clip& clip : clips) hash = fnv1a(fmt::format("{}|{}\n", clip.key(), clip.label), hash);
  return fmt::format("{:016x}", hash);
}

std::string to_json(const Metrics& metrics, const std::vector<std::string>& classes) {
  json value = to_value(metrics);
  value["classes"] = classes;
  value["per_class"] = per_class(metrics, classes);
  return json_text(value, 1);
}

Metrics metrics_from_json(const std::string& text) {
  return reading(text, "metrics", metrics_from);
}

std::string to_json(const RoundResult& round) { return json_text(to_value(round)); }

RoundResult round_from_json(const std::string& text) { return reading(text, "round", round_from); }

std::string to_json(const Results& results) {
  json value{{"format", 1}};
  const auto write = [&](const char* key, const auto& field) { value[key] = field; };
  visit(results, write, write);
  value["classes"] = results.classes;
  value["teacher_accuracy"] = known(results.teacher_accuracy, -1);
  value["read_s"] = results.read_s;
  value["start_draw"] = results.start_draw;
  value["test_groups"] = results.test_groups;
  value["test_classes"] = results.test_classes;
  value["answered_twice"] = results.answered_twice;
  value["test_id"] = results.test_id;
  value["notes"] = results.notes;
  value["oracles"] = json::array();
  for (const AskedOracle& one : results.oracles) {
    value["oracles"].push_back(
        {{"role", one.role}, {"line", one.line}, {"price", one.price}, {"when", one.when}});
  }
  value["people"] = json::array();
  for (const auto& person : results.people) value["people"].push_back(to_value(person));
  value["cells"] = json::array();
  for (const auto& trial : results.trials) value["cells"].push_back(to_value(trial));
  value["quarantined"] = json::array();
  for (const auto& row : results.quarantined)
    value["quarantined"].push_back({{"path", row.path}, {"reason", row.reason}});
  return json_text(value, 1);
}

Results results_from_json(const std::string& text) {
  return reading(text, "results", [](const json& value) {
    if (const auto format = field<int64_t>(value, "format", 0); format != 1)
      fail("format {}, this version of distal reads format 1", format);
    Results results;
    const auto read = [&](const char* key, auto& to) { take(member(value, key), key, to); };
    visit(results, read, read);
    read("classes", results.classes);
    take_known(member(value, "teacher_accuracy"), "teacher_accuracy", results.teacher_accuracy, -1);
    results.read_s = field<double>(value, "read_s", 0);
    results.start_draw = field<std::string>(value, "start_draw", "");
    const bool has_teacher =
        !results.teacher.empty() && !results.teacher.starts_with("hidden truth");
    // Older versions called the groups by the videos that they often are.
    take(member(value, value.contains("test_videos") ? "test_videos" : "test_groups"),
         "test_groups", results.test_groups);
    results.test_classes = field<std::vector<int64_t>>(value, "test_classes", {});
    results.answered_twice = field<int64_t>(value, "answered_twice", 0);
    results.test_id = field<std::string>(value, "test_id", "");
    read("notes", results.notes);
    if (value.contains("oracles")) {
      for (const auto& one : list(value, "oracles"))
        results.oracles.push_back({field<std::string>(one, "role"), field<std::string>(one, "line"),
                                   real(one, "price"), field<std::string>(one, "when")});
    }
    if (value.contains("people")) {
      for (const auto& person : list(value, "people"))
        results.people.push_back(person_from(person));
    }
    for (const auto& trial : list(value, "cells"))
      results.trials.push_back(trial_from(trial, has_teacher));
    for (const auto& row : list(value, "quarantined"))
      results.quarantined.push_back(
          {field<std::string>(row, "path"), field<std::string>(row, "reason")});
    return results;
  });
}

}  // namespace distal
