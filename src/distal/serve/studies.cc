#include "distal/serve/studies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "distal/base/text.h"
#include "distal/evaluation/results.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

struct Totals {
  int64_t open = 0;
  int64_t settled = 0;
  int64_t held_out = 0;
  int64_t held_out_answered = 0;
};

Totals totals_of(const std::vector<PeopleStore::Progress>& rows) {
  Totals sum;
  for (const auto& row : rows) {
    sum.open += row.open;
    sum.settled += row.settled;
    if (row.purpose != "held_out") continue;
    sum.held_out += row.open + row.settled + row.left_out;
    sum.held_out_answered += row.settled + row.left_out;
  }
  return sum;
}

Json held_out_json(const Totals& totals) {
  if (totals.held_out == 0) return nullptr;
  const Interval shown =
      wilson(std::lround(0.8 * static_cast<double>(totals.held_out)), totals.held_out);
  return {{"size", totals.held_out},
          {"answered", totals.held_out_answered},
          {"shows", fmt::format("Of {} clips, an accuracy of 80 % has a 95 % interval of {:.0f} to "
                                "{:.0f} %.",
                                totals.held_out, 100 * shown.low, 100 * shown.high)}};
}

Json point_json(const RoundResult& round) {
  const auto n = std::ssize(round.metrics.correct);
  Json point = {{"round", round.round},
                {"answers", round.answers},
                {"accuracy", round.metrics.accuracy},
                {"low", nullptr},
                {"high", nullptr}};
  if (n > 0) {
    const Interval interval =
        wilson(std::lround(round.metrics.accuracy * static_cast<double>(n)), n);
    point["low"] = interval.low;
    point["high"] = interval.high;
  }
  return point;
}

Json stages_json(const std::vector<RoundResult>& rounds) {
  Json stages = Json::array();
  for (const RoundField& field : kRoundFields) {
    if (field.kind != RoundField::Kind::stage) continue;
    double seconds = 0;
    for (const RoundResult& round : rounds) {
      const double value = field.value(round);
      if (std::isfinite(value) && value > 0) seconds += value;
    }
    stages.push_back({{"name", field.meaning}, {"seconds", seconds}});
  }
  return stages;
}

}  // namespace

/// What the store knows of the study's trials.
struct Studies::Trials {
  struct One {
    std::string arm;
    int64_t seed = 0;
    std::vector<RoundResult> rounds;
  };
  std::vector<One> all;
  std::map<std::string, std::string> quarantined;  // reason by path
  std::vector<std::string> notes;

  std::vector<RoundResult> rounds() const {
    std::vector<RoundResult> flat;
    for (const One& one : all) flat.insert(flat.end(), one.rounds.begin(), one.rounds.end());
    return flat;
  }

  Json curves() const {
    Json curves = Json::array();
    for (const One& one : all) {
      Json points = Json::array();
      for (const RoundResult& round : one.rounds) points.push_back(point_json(round));
      curves.push_back({{"arm", one.arm}, {"seed", one.seed}, {"points", points}});
    }
    return curves;
  }

  // Of the first arm and seed, after its last round.
  Json confusion(const std::vector<std::string>& classes) const {
    for (const One& one : all) {
      if (one.rounds.empty() || one.rounds.back().metrics.confusion.empty()) continue;
      return {{"arm", one.arm},
              {"seed", one.seed},
              {"round", one.rounds.back().round},
              {"classes", classes},
              {"counts", one.rounds.back().metrics.confusion}};
    }
    return nullptr;
  }
};

Interval wilson(int64_t right, int64_t n) {
  constexpr double kZ = 1.959963984540054;  // of the normal distribution, 0.975
  const auto count = static_cast<double>(n);
  const double share = static_cast<double>(right) / count;
  const double scale = 1 + kZ * kZ / count;
  const double centre = (share + kZ * kZ / (2 * count)) / scale;
  const double half =
      kZ * std::sqrt(share * (1 - share) / count + kZ * kZ / (4 * count * count)) / scale;
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

bool Studies::is_served(const std::string& name) const {
  return options_.study && options_.study->name == name;
}

std::vector<std::string> Studies::names() {
  std::vector<std::string> names;
  if (options_.study) names.push_back(options_.study->name);
  for (const auto& row : people_.borrow()->progress()) {
    if (std::ranges::find(names, row.study) == names.end()) names.push_back(row.study);
  }
  return names;
}

bool Studies::has(const std::string& name) {
  return is_served(name) || (!name.empty() && !people_.borrow()->progress(name).empty());
}

Runner* Studies::runner(const std::string& name) { return is_served(name) ? runner_ : nullptr; }

Json Studies::summary(const std::string& name) {
  const auto store = people_.borrow();
  const Totals totals = totals_of(store->progress(name));
  int64_t answered = 0;
  for (const auto& person : store->person_totals(name)) answered += person.answers;
  const auto each_s = store->median_seconds(name);
  const bool here = is_served(name);
  Json json = {{"name", name},
               {"state", here && runner_ != nullptr ? runner_->state()
                         : totals.open > 0          ? "waiting"
                                                    : "stopped"},
               {"arms", here ? options_.study->arms : std::vector<std::string>{}},
               {"seeds", here ? options_.study->seeds : 1},
               {"rounds", here ? options_.study->rounds : 0},
               {"open_items", totals.open},
               {"answered", answered},
               {"minutes_left", nullptr},
               {"held_out", held_out_json(totals)}};
  if (each_s) json["minutes_left"] = *each_s * static_cast<double>(totals.open) / 60;
  return json;
}

std::vector<std::string> Studies::classes(const std::string& name) {
  if (options_.study && (name.empty() || is_served(name))) return options_.study->classes;
  return {};
}

// The store calls a trial STUDY/ARM; empty: it is another study's.
std::string Studies::arm_of(const std::string& run) const {
  const std::string before = options_.study->name + "/";
  if (!run.starts_with(before)) return "";
  const std::string arm = run.substr(before.size());
  const auto& arms = options_.study->arms;
  return std::ranges::find(arms, arm) == arms.end() ? "" : arm;
}

// Of each arm and seed the last: before an option was changed it was another one.
std::vector<Store::Run> Studies::newest(const std::vector<Store::Run>& runs) const {
  std::map<std::pair<std::string, int64_t>, Store::Run> last;
  for (const Store::Run& run : runs) {
    if (arm_of(run.name).empty()) continue;
    auto& held = last[{run.name, run.seed}];
    if (run.id > held.id) held = run;
  }
  std::vector<Store::Run> all;
  for (const auto& [key, run] : last) all.push_back(run);
  return all;
}

Studies::Trials Studies::trials(const std::string& name) {
  Trials trials;
  if (!is_served(name)) return trials;
  const auto store = store_.borrow();
  for (const Store::Run& run : newest(store->runs())) {
    Trials::One one{arm_of(run.name), run.seed, {}};
    for (const StoredRound& round : store->rounds(run.id))
      one.rounds.push_back(round_from_json(round.metrics_json));
    trials.all.push_back(std::move(one));
    for (const auto& video : store->quarantined(run.id))
      trials.quarantined.emplace(video.path, video.reason);
    for (const std::string& note : store->notes(run.id)) {
      if (std::ranges::find(trials.notes, note) == trials.notes.end()) trials.notes.push_back(note);
    }
  }
  return trials;
}

Json Studies::detail(const std::string& name, bool all) {
  Json json = summary(name);
  const Trials found = trials(name);
  std::map<std::string, int64_t> answered;
  for (const auto& row : people_.borrow()->class_totals(name))
    answered[row.class_name] = row.answers + row.ranges;
  std::vector<std::string> names = classes(name);
  for (const auto& [other, count] : answered) {
    if (std::ranges::find(names, other) == names.end()) names.push_back(other);
  }
  json["curves"] = all ? found.curves() : Json::array();
  json["confusion"] = all ? found.confusion(classes(name)) : Json(nullptr);
  json["classes"] = Json::array();
  for (const std::string& one : names)
    json["classes"].push_back({{"name", one}, {"answered", answered[one]}});
  json["stages"] = stages_json(found.rounds());
  json["quarantined"] = Json::array();
  if (all) {
    for (const auto& [path, reason] : found.quarantined)
      json["quarantined"].push_back({{"path", path}, {"reason", reason}});
  }
  json["notes"] = found.notes;
  if (Runner* const at_work = runner(name); at_work != nullptr && !at_work->note().empty())
    json["notes"].push_back(at_work->note());
  return json;
}

}  // namespace distal::serve
