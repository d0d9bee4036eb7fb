#include "distal/study/trial_record.h"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/fingerprint.h"
#include "distal/base/interrupted.h"
#include "distal/models/weights.h"

namespace distal {

std::string trial_key(const Study& study, const Arm& arm, int64_t seed, const std::string& lists_id,
                      const std::string& oracle_version) {
  SharedOptions shared = study.shared;
  shared.seed = 0;
  shared.data.root.clear();
  const std::string fingerprint = Fingerprint()
                                      .add(decisive_options(shared, arm.options))
                                      .add(lists_id)
                                      .add(oracle_version)
                                      .hex();
  return fmt::format("{}-{}-{}", fingerprint, arm.name, seed);
}

std::vector<RoundResult> StoredRecord::rounds() const {
  std::vector<RoundResult> rounds;
  for (const StoredRound& stored : store_.rounds(run_.id))
    rounds.push_back(round_from_json(stored.metrics_json));
  return rounds;
}

std::optional<std::vector<Clip>> StoredRecord::reserved(int64_t round,
                                                        const Dataset& dataset) const {
  return reserved_of(run_.id, round, dataset);
}

std::optional<std::vector<Clip>> StoredRecord::reserved_by(const std::string& trial, int64_t round,
                                                           const Dataset& dataset) const {
  for (const Store::Run& run : store_.runs()) {
    if (run.key == trial) return reserved_of(run.id, round, dataset);
  }
  return std::nullopt;
}

std::optional<std::vector<Clip>> StoredRecord::reserved_of(int64_t run, int64_t round,
                                                           const Dataset& dataset) const {
  const std::vector<std::string> before = store_.reserved(run, round);
  if (before.empty()) return std::nullopt;
  const FilmedClips filmed = dataset.filmed();
  std::vector<Clip> clips;
  for (const std::string& key : before) {
    if (const auto clip = find_clip(key, filmed)) clips.push_back(*clip);
  }
  return clips;
}

void StoredRecord::reserve(int64_t round, const std::vector<Clip>& clips, const ArmOptions& arm,
                           double price) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<std::string> keys;
  std::vector<double> seconds;
  for (const Clip& clip : clips) {
    keys.push_back(clip.key());
    seconds.push_back(clip.duration_s());
  }
  const std::vector<double> prices(clips.size(), price);
  // The initial answers are given; each round may spend its own budget, and what an earlier one
  // left over.
  const Store::Spent spent = this->spent();
  const std::string unit = round > 0 && arm.budget >= 0 ? arm.selection.unit : "";
  const double max_answers =
      unit == "answers" ? static_cast<double>(spent.answers) + arm.budget : kNone;
  const double max_seconds = unit == "seconds" ? spent.seconds + arm.budget : kNone;
  store_.reserve(run_.id, answerers_.front(), round, keys, seconds, prices, max_answers,
                 max_seconds, kNone);
}

void StoredRecord::raise_price(const ClipRefs& clips, double price) {
  std::vector<std::string> keys;
  for (const Clip* clip : clips) keys.push_back(clip->key());
  store_.raise_price(run_.id, keys, price);
}

// Of each further oracle, what asking it again cost.
Store::Spent StoredRecord::spent() const {
  Store::Spent spent = store_.spent(run_.id, answerers_.front());
  for (size_t i = 1; i < answerers_.size(); ++i) {
    const double once = store_.spent(run_.id, Answerer()).price;
    spent.price += store_.spent(run_.id, answerers_[i]).price - once;
  }
  return spent;
}

std::set<std::string> StoredRecord::unreserve(int64_t round, const std::vector<Clip>& clips,
                                              bool answered_too) {
  std::vector<std::string> keys;
  for (const Clip& clip : clips) keys.push_back(clip.key());
  const auto gone = store_.unreserve(run_.id, answerers_.front(), round, keys, answered_too);
  if (!gone.empty()) {
    store_.event(run_.id, "withdrawn",
                 fmt::format("round {} goes on without {}", round, fmt::join(gone, ", ")));
  }
  return {gone.begin(), gone.end()};
}

void StoredRecord::keep_cost(int64_t round, const ChoiceCost& cost) {
  store_.put_passes(run_.id, round, cost.forwards);
}

ChoiceCost StoredRecord::cost(int64_t round) const {
  return {store_.passes(run_.id, round).value_or(0)};
}

void StoredRecord::put_round(const RoundResult& result, const std::vector<Clip>& asked) {
  nlohmann::json keys = nlohmann::json::array();
  for (const Clip& clip : asked) keys.push_back(clip.key());
  store_.put_round(run_.id, {result.round, result.answers, result.watched_s, result.price,
                             to_json(result), keys.dump()});
}

void StoredRecord::note(const TrialFindings& found) {
  std::vector<Store::QuarantinedVideo> videos;
  for (const Quarantined& video : found.quarantined) videos.push_back({video.path, video.reason});
  store_.put_notes(run_.id, found.notes);
  store_.put_quarantined(run_.id, videos);
  store_.put_unseen(run_.id, found.unseen);
}

void StoredRecord::put_student(int64_t round, const std::string& path) {
  store_.put_student(run_.id, {round, content_id(path),
                               std::filesystem::absolute(path).lexically_normal().string()});
}

bool StoredRecord::is_student(int64_t round, const std::string& path) const {
  std::error_code out_of_reach;
  if (!std::filesystem::is_regular_file(path, out_of_reach)) return false;
  std::string weights;
  try {
    weights = content_id(path);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return false;
  }
  const auto students = store_.students(run_.id);
  return std::any_of(students.begin(), students.end(), [&](const Store::Student& student) {
    return student.round == round && student.weights == weights;
  });
}

std::vector<std::string> StoredRecord::student_files() const {
  std::vector<std::string> files;
  for (const Store::Student& student : store_.students(run_.id)) {
    if (!student.path.empty()) files.push_back(student.path);
  }
  return files;
}

TrialFindings findings(Store& store, int64_t run) {
  TrialFindings found{store.notes(run), {}, store.unseen(run)};
  for (const Store::QuarantinedVideo& video : store.quarantined(run))
    found.quarantined.push_back({video.path, video.reason});
  return found;
}

}  // namespace distal
