#include "distal/study/curves_so_far.h"

#include <algorithm>
#include <thread>

#include "distal/base/files.h"
#include "distal/base/in_use.h"
#include "distal/base/progress.h"

namespace distal {
namespace {

constexpr int kShareOfTime = 20;
constexpr auto kTurn = std::chrono::seconds(10);  // that others may take to write

// What curves hold of a round; the rest is long.
RoundResult numbers_of(RoundResult round) {
  round.metrics.confusion.clear();
  round.metrics.calibration.clear();
  round.metrics.correct.clear();
  round.metrics.worst.clear();
  return round;
}

}  // namespace

CurvesSoFar::CurvesSoFar(Store& store, std::string folder, const std::string& budget_unit,
                         std::vector<Row> rows, Progress& progress)
    : store_(store),
      folder_(std::move(folder)),
      progress_(progress),
      files_(folder_),
      rows_(std::move(rows)) {
  results_.budget_unit = budget_unit;
  for (const Row& row : rows_) results_.trials.push_back(row.trial);
}

CurvesSoFar::~CurvesSoFar() {
  if (!put_off_) return;
  try {
    write();
  } catch (const std::exception&) {  // the store is out of reach; the end of a run says so
  }
}

void CurvesSoFar::find_runs() {
  const bool all_known = std::all_of(rows_.begin(), rows_.end(),
                                     [&](const Row& row) { return runs_.contains(row.key); });
  if (all_known) return;
  for (const Store::Run& run : store_.runs()) runs_[run.key] = run.id;
}

void CurvesSoFar::read_rounds() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    auto& known = results_.trials[i].rounds;
    const auto run = runs_.find(rows_[i].key);
    if (run == runs_.end() || std::ssize(known) >= rows_[i].rounds) continue;
    const std::vector<StoredRound> stored = store_.rounds(run->second);
    for (size_t r = known.size(); r < stored.size() && std::ssize(known) < rows_[i].rounds; ++r)
      known.push_back(numbers_of(round_from_json(stored[r].metrics_json)));
  }
}

// False where others took all of the time. Whoever has the turn reads the store, so that a round
// that was stored before is never missing.
bool CurvesSoFar::write_in_turn() {
  for (const auto until = Clock::now() + kTurn; Clock::now() < until;) {
    try {
      const FileLock turn(folder_ + "/.curves.lock", folder_, "remove the file .curves.lock");
      find_runs();
      read_rounds();
      files_.update(results_);
      return true;
    } catch (const InUse&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return false;
}

void CurvesSoFar::write() {
  try {
    put_off_ = !write_in_turn();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed_ = true;
    put_off_ = false;
    progress_.say(fmt::format("the curves so far are not written: {}", error.what()));
  }
}

void CurvesSoFar::update() {
  if (failed_) return;
  const auto began = Clock::now();
  put_off_ = began < free_from_;
  if (put_off_) return;
  write();
  const auto ended = Clock::now();
  free_from_ = ended + kShareOfTime * (ended - began);
}

}  // namespace distal
