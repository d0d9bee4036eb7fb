#include "distal/study/run.h"

#include <functional>
#include <map>
#include <optional>
#include <thread>

#include "distal/base/in_use.h"
#include "distal/learn/network_trainer.h"
#include "distal/models/weights.h"
#include "distal/oracles/ledger.h"
#include "distal/study/describe.h"
#include "distal/study/teacher_setup.h"
#include "distal/study/trial.h"

namespace distal {
namespace {

struct TrialToRun {
  const Arm* arm = nullptr;
  int64_t seed = 0;
};

// Arms of a seed share what they begin with, so they stay together where the shares come out even.
std::vector<TrialToRun> trials_of(const Study& study, const RunPlace& place) {
  const int64_t seeds = study.shared.seeds;
  const bool by_seed = seeds % place.shares == 0;
  std::vector<TrialToRun> trials;
  for (int64_t repeat = 0; repeat < seeds; ++repeat) {
    for (int64_t arm = 0; arm < std::ssize(study.arms); ++arm) {
      if ((by_seed ? repeat : repeat + arm) % place.shares == place.share) trials.push_back({&study.arms[arm], study.shared.seed + repeat});
    }
  }
  return trials;
}

// Waits until nobody else is at work on the trial, which then is done or left.
FinishedTrial wait_and_run(const TrialSetup& setup, Store& store, const TrialToRun& trial) {
  for (bool said = false;; said = true) {
    try {
      return run_trial(setup, store, *trial.arm, trial.seed);
    } catch (const InUse& busy) {
      if (!said) setup.progress.say(fmt::format("waiting: {}", busy.what()));
    }
    Progress::check_interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// What another process is at work on comes last. Nothing is held meanwhile, so two that wait for each other's trials both end.
// Throws Awaiting once the others are done, where some wait for answers.
std::vector<FinishedTrial> run_trials(const TrialSetup& setup, Store& store, const std::vector<TrialToRun>& trials) {
  std::vector<std::optional<FinishedTrial>> done(trials.size());
  std::string awaiting;
  const auto take = [&](size_t i, const std::function<FinishedTrial()>& run) {
    try {
      done[i] = run();
    } catch (const Awaiting& waiting) {
      awaiting = waiting.what();
    }
  };
  std::vector<size_t> busy;
  for (size_t i = 0; i < trials.size(); ++i) {
    try {
      take(i, [&] { return run_trial(setup, store, *trials[i].arm, trials[i].seed); });
    } catch (const InUse&) {
      busy.push_back(i);
    }
  }
  for (const size_t i : busy) take(i, [&] { return wait_and_run(setup, store, trials[i]); });
  if (!awaiting.empty()) throw Awaiting(awaiting);
  std::vector<FinishedTrial> in_order;
  for (auto& trial : done) in_order.push_back(*std::move(trial));
  return in_order;
}

std::string unfinished(const std::string& folder) { return folder + "/unfinished"; }

WhoAnswers who_answers(const Study& study, Dataset& dataset, const RunPlace& place, Progress& progress) {
  return open_oracle(study, dataset, place.folder, unfinished(place.shared.empty() ? place.folder : place.shared), progress);
}

}  // namespace

void train_shared(const Study& study, const RunPlace& place, Progress& progress) {
  Dataset dataset = open_dataset(study, progress);
  drop_unreadable(study, dataset, progress);
  const OracleOptions& options = study.shared.oracle;
  if (!options.kind->traits().trained_here && !options.ask_again) return;
  WhoAnswers who = who_answers(study, dataset, place, progress);
  if (!options.ask_again) return;
  Store store(place.store_url);
  const Ledger ledger(options, std::move(who.oracle), dataset.asked(), store, progress, study.asks_views());  // marks what was refused so far
}

Results run(const Study& study, const RunPlace& place, Progress& progress) {
  Store store(place.store_url);
  Dataset dataset = open_dataset(study, progress);
  const double read_s = drop_unreadable(study, dataset, progress);
  NetworkTrainer trainer(*dataset.reader, dataset.classes, [&] { return dataset.clips(); }, unfinished(place.folder), progress);
  trainer.pretrain_on([&] { return dataset.pool; }, study.shared.cache);
  WhoAnswers who = who_answers(study, dataset, place, progress);
  OracleOptions options = study.shared.oracle;
  options.ask_again &= place.shares == 1 && !place.asked_again;  // once a command: not by each share, nor what a share was refused just now
  Ledger ledger(options, std::move(who.oracle), dataset.asked(), store, progress, study.asks_views());

  Results results = describe(study, dataset, place.command);
  results.teacher = who.line;
  results.teacher_accuracy = who.accuracy;
  results.read_s = read_s;
  const auto network = [&] { return load_model(who.network).net; };
  const TrialSetup setup{study, dataset, trainer, ledger, place.folder, /*collects=*/place.shares == 1, network, progress};
  std::map<int64_t, int64_t> seeds;
  for (FinishedTrial& finished : run_trials(setup, store, trials_of(study, place))) {
    seeds[finished.run] = finished.trial.seed;
    results.cells.push_back(std::move(finished.trial));
  }
  add_findings(results, study, dataset, store, seeds);
  return results;
}

}  // namespace distal
