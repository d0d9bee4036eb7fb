#include "distal/study/run.h"

#include <optional>
#include <thread>

#include "distal/base/in_use.h"
#include "distal/study/cell.h"

namespace distal {
namespace {

struct CellToRun {
  const Arm* arm = nullptr;
  int64_t seed = 0;
};

// Arms of a seed share what they begin with, so they stay together where the shares come out even.
std::vector<CellToRun> cells_of(const Experiment& experiment, const RunPlace& place) {
  const int64_t seeds = experiment.base().seeds;
  const bool by_seed = seeds % place.shares == 0;
  std::vector<CellToRun> cells;
  for (int64_t repeat = 0; repeat < seeds; ++repeat)
    for (int64_t arm = 0; arm < std::ssize(experiment.arms); ++arm)
      if ((by_seed ? repeat : repeat + arm) % place.shares == place.share) cells.push_back({&experiment.arms[arm], experiment.base().seed + repeat});
  return cells;
}

// Waits until nobody else is at work on the cell, which then is done or left.
Cell wait_and_run(Workbench& bench, const CellToRun& cell) {
  for (bool said = false;; said = true) {
    try {
      return run_cell(bench, *cell.arm, cell.seed);
    } catch (const InUse& busy) {
      if (!said) bench.progress.say(fmt::format("waiting: {}", busy.what()));
    }
    Progress::check_interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// What another process is at work on comes last. Nothing is held meanwhile, so two that wait for each other's cells both end.
std::vector<Cell> run_cells(Workbench& bench, const std::vector<CellToRun>& cells) {
  std::vector<std::optional<Cell>> done(cells.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    try {
      done[i] = run_cell(bench, *cells[i].arm, cells[i].seed);
    } catch (const InUse&) {
    }
  }
  std::vector<Cell> in_order;
  for (size_t i = 0; i < cells.size(); ++i) in_order.push_back(done[i] ? *std::move(done[i]) : wait_and_run(bench, cells[i]));
  return in_order;
}

}  // namespace

void train_shared(const Experiment& experiment, const RunPlace& place, Progress& progress) {
  Material material = open_material(experiment, progress);
  drop_unreadable(experiment, material, progress);
  const TeacherOptions& asked = experiment.base().oracle;
  if (asked.kind != "teacher" && !asked.ask_again) return;
  TaughtBy teacher = make_teacher(experiment, material, place, progress);
  if (!asked.ask_again) return;
  Store store(place.store_url);
  const Oracle oracle(asked, std::move(teacher.teacher), material.asked(), store, progress, experiment.asks_views());  // marks what was refused so far
}

Results run(const Experiment& experiment, const RunPlace& place, Progress& progress) {
  Store store(place.store_url);
  Material material = open_material(experiment, progress);
  const double read_s = drop_unreadable(experiment, material, progress);
  Learning learning(*material.reader, material.classes, [&] { return material.clips(); }, place.folder + "/unfinished", progress);
  learning.pretrain_on([&] { return material.pool; }, experiment.base().cache);
  TaughtBy teacher = make_teacher(experiment, material, place, progress);
  TeacherOptions asked = experiment.base().oracle;
  asked.ask_again &= place.shares == 1 && !place.asked_again;  // once a command: not by each share, nor what a share was refused just now
  Oracle oracle(asked, std::move(teacher.teacher), material.asked(), store, progress, experiment.asks_views());

  Results results = describe(experiment, material, place);
  results.teacher = teacher.line;
  results.teacher_accuracy = teacher.accuracy;
  results.read_s = read_s;
  Workbench bench{experiment, material, learning, oracle, store, place.folder, progress, /*collects=*/place.shares == 1};
  results.cells = run_cells(bench, cells_of(experiment, place));
  add_findings(results, bench);
  return results;
}

Cell run_cell(Workbench& bench, const Arm& arm, int64_t seed) {
  const Store::Run run = begin(bench, arm, seed);
  bench.runs.insert(run.id);
  try {
    Cell cell = run_rounds(bench, arm, run);
    bench.store.finish(run.id, "done");
    return cell;
  } catch (const Interrupted&) {
    bench.store.finish(run.id, "stopped");
    throw;
  } catch (const std::exception& error) {
    bench.store.event(run.id, "failed", error.what());
    bench.store.finish(run.id, "failed");
    throw;
  }
}

Cell run_rounds(Workbench& bench, const Arm& arm, const Store::Run& run) {
  const Random random(static_cast<uint64_t>(run.seed));  // the same for every arm: arms are paired
  const std::vector<StoredRound> done = bench.store.rounds(run.id);

  Cell cell{arm.name, run.seed, arm.against.empty(), {}, arm.against, hears_teacher(arm.recipe)};
  RoundResult result;
  Known known = start(bench, arm, run, random.stream("start"), result);
  std::vector<Clip> picks = known.clips();
  Model student;
  for (int64_t round = 0; round <= arm.recipe.rounds; ++round) {
    if (round > 0) {
      result = {round};
      const auto train_again = [&] { return student ? student : train_student(bench, arm, run, known, round - 1, result); };
      picks = choose(bench, arm, run, known, round, train_again, random.stream("select", round), result);
      add_answers(bench, picks, known, result);
    }
    if (round < std::ssize(done)) {  // measured before: by this run until it was stopped, or by one of fewer or more rounds
      cell.rounds.push_back(round_from_json(done[round].metrics_json));
      student = nullptr;
      continue;
    }
    student = train_student(bench, arm, run, known, round, result);
    measure_student(bench, arm, *student, result);
    keep_student(bench, arm, run, round, *student);
    finish_round(bench, arm, run, picks, result);
    cell.rounds.push_back(result);
  }
  const int64_t last = arm.recipe.rounds;
  if (last < std::ssize(done) && lacks_student(bench, arm, run) && !take_student(bench, arm, run))
    keep_student(bench, arm, run, last, *train_student(bench, arm, run, known, last, result));
  return cell;
}

}  // namespace distal
