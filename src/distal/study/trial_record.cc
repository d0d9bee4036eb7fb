#include "distal/study/trial_record.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "distal/base/fingerprint.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

std::string in_round(int64_t round) { return fmt::format(" in round {}", round); }

[[noreturn]] void refuse_event(int64_t run, const Store::Event& event, const char* wanted) {
  fail("--store: event '{}' of run {}, {}, is '{}', not {}; somebody changed it: restore a copy, or give another --store", event.kind, run,
       event.time, excerpt(event.text), wanted);
}

// The two halves of an event's text around `separator`.
std::pair<std::string, std::string> halves(int64_t run, const Store::Event& event, const char* separator, const char* wanted) {
  const auto end = event.text.find(separator);
  if (end == std::string::npos) refuse_event(run, event, wanted);
  return {event.text.substr(0, end), event.text.substr(end + std::string_view(separator).size())};
}

}  // namespace

std::string trial_key(const Study& study, const Arm& arm, int64_t seed, const std::string& lists_id, const std::string& oracle_version) {
  SharedOptions shared = study.shared;
  shared.seed = 0;
  shared.data.root.clear();
  const std::string fingerprint = Fingerprint().add(decisive_options(shared, arm.options)).add(lists_id).add(oracle_version).hex();
  return fmt::format("{}-{}-{}", fingerprint, arm.name, seed);
}

std::vector<RoundResult> StoredRecord::rounds() const {
  std::vector<RoundResult> rounds;
  for (const StoredRound& stored : store_.rounds(run_.id)) rounds.push_back(round_from_json(stored.metrics_json));
  return rounds;
}

std::optional<std::vector<Clip>> StoredRecord::reserved(int64_t round, const Dataset& dataset) const {
  const std::vector<std::string> before = store_.reserved(run_.id, round);
  if (before.empty()) return std::nullopt;
  const FilmedClips filmed = dataset.filmed();
  std::vector<Clip> clips;
  for (const std::string& key : before) {
    if (const auto clip = find_clip(key, filmed)) clips.push_back(*clip);
  }
  return clips;
}

void StoredRecord::reserve(int64_t round, const std::vector<Clip>& clips, const ArmOptions& arm, double price) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<std::string> keys;
  std::vector<double> seconds;
  for (const Clip& clip : clips) {
    keys.push_back(clip.key());
    seconds.push_back(clip.duration_s());
  }
  const std::vector<double> prices(clips.size(), price);
  // The initial answers are given; each round may spend its own budget, and what an earlier one left over.
  const Store::Spent spent = this->spent();
  const bool in_seconds = arm.selection.unit == "seconds", limited = round > 0 && arm.budget >= 0;
  const double max_answers = limited && !in_seconds ? static_cast<double>(spent.answers) + arm.budget : kNone;
  const double max_seconds = limited && in_seconds ? spent.seconds + arm.budget : kNone;
  store_.reserve(run_.id, answerer_, round, keys, seconds, prices, max_answers, max_seconds, kNone);
}

void StoredRecord::keep_cost(int64_t round, const ChoiceCost& cost) { keep("forwards", fmt::format("{}{}", cost.forwards, in_round(round))); }

ChoiceCost StoredRecord::cost(int64_t round) const {
  ChoiceCost cost;
  for (const Store::Event& event : store_.events(run_.id)) {
    if (event.kind != "forwards" || !event.text.ends_with(in_round(round))) continue;
    const char *begin = event.text.data(), *end = begin + event.text.size() - in_round(round).size();
    const auto read = std::from_chars(begin, end, cost.forwards);
    if (read.ec != std::errc() || read.ptr != end) refuse_event(run_.id, event, "a number and its round");
  }
  return cost;
}

void StoredRecord::put_round(const RoundResult& result, const std::vector<Clip>& asked) {
  nlohmann::json keys = nlohmann::json::array();
  for (const Clip& clip : asked) keys.push_back(clip.key());
  store_.put_round(run_.id, {result.round, result.answers, result.seconds, result.price, to_json(result), keys.dump()});
}

void StoredRecord::note(const TrialFindings& found) {
  for (const std::string& text : found.notes) keep("note", text);
  for (const Quarantined& video : found.quarantined) keep("quarantined", video.path + "\n" + video.reason);
  for (const std::string& class_name : found.unseen) keep("unseen", fmt::format("{}: {}", run_.seed, class_name));
}

void StoredRecord::keep_student(int64_t round, const std::string& path) {
  keep("student", content_id(path) + in_round(round));
  keep("student at", std::filesystem::absolute(path).lexically_normal().string());
}

bool StoredRecord::is_student(int64_t round, const std::string& path) const {
  std::error_code out_of_reach;
  if (!std::filesystem::is_regular_file(path, out_of_reach)) return false;
  std::string wanted;
  try {
    wanted = content_id(path) + in_round(round);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return false;
  }
  const auto events = store_.events(run_.id);
  return std::any_of(events.begin(), events.end(), [&](const Store::Event& event) { return event.kind == "student" && event.text == wanted; });
}

std::vector<std::string> StoredRecord::student_files() const {
  std::vector<std::string> files;
  for (const Store::Event& event : store_.events(run_.id)) {
    if (event.kind == "student at") files.push_back(event.text);
  }
  return files;
}

// An event of the trial, once.
void StoredRecord::keep(const std::string& kind, const std::string& text) {
  const auto events = store_.events(run_.id);
  const auto same = [&](const Store::Event& event) { return event.kind == kind && event.text == text; };
  if (std::none_of(events.begin(), events.end(), same)) store_.event(run_.id, kind, text);
}

TrialFindings findings(Store& store, int64_t run) {
  TrialFindings found;
  for (const Store::Event& event : store.events(run)) {
    if (event.kind == "note") found.notes.push_back(event.text);
    if (event.kind == "unseen") found.unseen.push_back(halves(run, event, ": ", "a seed and a class").second);
    if (event.kind != "quarantined") continue;
    const auto [path, reason] = halves(run, event, "\n", "a video and a reason");
    found.quarantined.push_back({path, reason});
  }
  return found;
}

}  // namespace distal
