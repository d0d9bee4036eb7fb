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

std::vector<RoundResult> RoundCache::rounds(Store& store, const Store::Run& run) {
  Held held;
  {
    const std::lock_guard lock(mutex_);
    held = by_run_[run.id];
  }
  if (held.done) return held.rounds;
  const auto stored = store.rounds(run.id);
  for (size_t i = held.rounds.size(); i < stored.size(); ++i)
    held.rounds.push_back(round_from_json(stored[i].metrics_json));
  held.done = run.status == "done";
  const std::lock_guard lock(mutex_);
  by_run_[run.id] = held;
  return held.rounds;
}

std::vector<std::string> Studies::names() {
  std::vector<std::string> names = served_.names();
  for (const auto& row : people_.borrow()->progress()) {
    if (std::ranges::find(names, row.study) == names.end()) names.push_back(row.study);
  }
  return names;
}

bool Studies::has(const std::string& name) {
  if (name.empty()) return false;
  return served_.find(name) != nullptr || !people_.borrow()->progress(name).empty();
}

Json Studies::summary(const std::string& name) {
  const auto store = people_.borrow();
  const Totals totals = totals_of(store->progress(name));
  int64_t answered = 0;
  for (const auto& person : store->person_totals(name)) answered += person.answers;
  const auto each_s = store->median_seconds(name);
  const ServedStudy* const here = served_.find(name);
  const Runner* const runner = served_.runner(name);
  Json json = {{"name", name},
               {"branch_of",
                here == nullptr || here->branch_of.empty() ? Json(nullptr) : Json(here->branch_of)},
               {"state", runner != nullptr ? runner->state()
                         : totals.open > 0 ? "waiting"
                                           : "stopped"},
               {"arms", here != nullptr ? here->arms : std::vector<std::string>{}},
               {"seeds", here != nullptr ? here->seeds : 1},
               {"rounds", here != nullptr ? here->rounds : 0},
               {"open_items", totals.open},
               {"answered", answered},
               {"minutes_left", nullptr},
               {"held_out", held_out_json(totals)}};
  if (each_s) json["minutes_left"] = *each_s * static_cast<double>(totals.open) / 60;
  return json;
}

std::vector<std::string> Studies::classes(const std::string& name) {
  const std::vector<std::string> here = served_.names();
  const std::string wanted = name.empty() && !here.empty() ? here.front() : name;
  const ServedStudy* const study = served_.find(wanted);
  return study == nullptr ? std::vector<std::string>() : study->classes;
}

// The store calls a trial STUDY/ARM; empty: it is another study's.
std::string Studies::arm_of(const ServedStudy& study, const std::string& run) const {
  const std::string before = study.name + "/";
  if (!run.starts_with(before)) return "";
  const std::string arm = run.substr(before.size());
  return std::ranges::find(study.arms, arm) == study.arms.end() ? "" : arm;
}

// Of each arm and seed the last: before an option was changed it was another one.
std::vector<Store::Run> Studies::newest(const ServedStudy& study,
                                        const std::vector<Store::Run>& runs) {
  std::map<std::pair<std::string, int64_t>, Store::Run> last;
  for (const Store::Run& run : runs) {
    if (arm_of(study, run.name).empty()) continue;
    auto& held = last[{run.name, run.seed}];
    if (run.id > held.id) held = run;
  }
  std::vector<Store::Run> all;
  for (const auto& [key, run] : last) all.push_back(run);
  return all;
}

Studies::Trials Studies::trials(const std::string& name) {
  Trials trials;
  const ServedStudy* const study = served_.find(name);
  if (study == nullptr) return trials;
  const auto store = store_.borrow();
  for (const Store::Run& run : newest(*study, store->runs())) {
    trials.all.push_back({arm_of(*study, run.name), run.seed, cache_.rounds(*store, run)});
    for (const auto& video : store->quarantined(run.id))
      trials.quarantined.emplace(video.path, video.reason);
    for (const std::string& note : store->notes(run.id)) {
      if (std::ranges::find(trials.notes, note) == trials.notes.end()) trials.notes.push_back(note);
    }
  }
  return trials;
}

std::vector<Json> Studies::new_points() {
  const auto store = store_.borrow();
  const std::vector<Store::Run> runs = store->runs();
  const bool first = !told_;
  if (first) told_.emplace();
  std::vector<Json> news;
  for (const std::string& name : served_.names()) {
    const ServedStudy& study = *served_.find(name);
    const size_t before = news.size();
    for (const Store::Run& run : newest(study, runs)) {
      const auto rounds = cache_.rounds(*store, run);
      const size_t told = std::exchange((*told_)[run.id], rounds.size());
      for (size_t i = told; !first && i < rounds.size(); ++i) {
        news.push_back({{"study", name},
                        {"arm", arm_of(study, run.name)},
                        {"seed", run.seed},
                        {"point", point_json(rounds[i])}});
      }
    }
    if (news.size() > before) news.back()["stages"] = stages_json(trials(name).rounds());
  }
  return news;
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
  const Runner* const at_work = served_.runner(name);
  if (at_work != nullptr && !at_work->note().empty()) json["notes"].push_back(at_work->note());
  json["stage"] = all && at_work != nullptr ? at_work->stage() : "";
  return json;
}

}  // namespace distal::serve
