#include "experiment/run.h"

#include "experiment/cell.h"
#include "experiment/report.h"

namespace distal {

void train_shared(const Experiment& experiment, const RunPlace& place, Progress& progress) {
  if (experiment.base().oracle.kind != "teacher") return;
  Material material = open_material(experiment, progress);
  drop_unreadable(experiment, material, progress);
  make_teacher(experiment, material, place, progress);
}

Results run(const Experiment& experiment, const RunPlace& place, Progress& progress) {
  Store store(place.store_url);
  Material material = open_material(experiment, progress);
  const double read_s = drop_unreadable(experiment, material, progress);
  Learning learning(*material.reader, material.classes, [&] { return material.clips(); }, place.folder + "/unfinished", progress);
  learning.pretrain_on([&] { return material.pool; }, experiment.base().cache);
  TaughtBy teacher = make_teacher(experiment, material, place, progress);
  Oracle oracle(experiment.base().oracle, std::move(teacher.teacher), material, store, progress, experiment.asks_views());

  Results results = describe(experiment, material, place);
  results.teacher = teacher.line;
  results.teacher_accuracy = teacher.accuracy;
  results.read_s = read_s;
  Workbench bench{experiment, material, learning, oracle, store, place.folder, progress, /*collects=*/place.shares == 1};
  for (int64_t repeat = 0; repeat < experiment.base().seeds; ++repeat)
    for (int64_t arm = 0; arm < std::ssize(experiment.arms); ++arm)
      if ((repeat + arm) % place.shares == place.share) results.cells.push_back(run_cell(bench, experiment.arms[arm], experiment.base().seed + repeat));
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

  Cell cell{arm.name, run.seed, arm.against.empty(), {}, arm.against};
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
  if (last < std::ssize(done) && lacks_student(bench, arm, run)) keep_student(bench, arm, run, last, *train_student(bench, arm, run, known, last, result));
  return cell;
}

}  // namespace distal
