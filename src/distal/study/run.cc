#include "distal/study/run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/learn/network_trainer.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/study/asked_clips.h"
#include "distal/study/curves_so_far.h"
#include "distal/study/dataset_file.h"
#include "distal/study/describe.h"
#include "distal/study/held_out.h"
#include "distal/study/step_logs.h"
#include "distal/study/teacher_setup.h"
#include "distal/study/trial.h"

namespace distal {
namespace {

struct TrialToRun {
  const Arm* arm = nullptr;
  int64_t seed = 0;
};

// In the order of the results: seed by seed, as the arms of a seed share what they begin with.
std::vector<TrialToRun> trials_of(const Study& study) {
  std::vector<TrialToRun> trials;
  for (int64_t repeat = 0; repeat < study.shared.seeds; ++repeat) {
    for (const Arm& arm : study.arms) trials.push_back({&arm, study.shared.seed + repeat});
  }
  return trials;
}

// The trials that fall to a share: seeds in turn where they are a multiple of the shares, else
// trials in turn.
std::vector<TrialToRun> dealt(const Study& study, const RunPlace& place, bool own) {
  const bool by_seed = study.shared.seeds % place.shares == 0;
  std::vector<TrialToRun> trials;
  for (const TrialToRun& trial : trials_of(study)) {
    const int64_t repeat = trial.seed - study.shared.seed;
    const int64_t turn = by_seed ? repeat : repeat + (trial.arm - study.arms.data());
    if ((turn % place.shares == place.share) == own) trials.push_back(trial);
  }
  return trials;
}

// Claims trials until nobody is at work on one of them and none is free: those of a process that
// was killed are taken over.
class Worker {
 public:
  /// `others`: trials of other shares, taken when the own ones are done. One that failed there
  /// stays failed: it would fail here too.
  Worker(const TrialSetup& setup, Store& store, const std::vector<TrialToRun>& own,
         const std::vector<TrialToRun>& others)
      : setup_(setup), store_(store), own_(rows_of_store(own)), others_(rows_of_store(others)) {}

  /// By key. Throws Error as a trial does.
  std::map<std::string, FinishedTrial> work() {
    for (bool said = false;;) {
      const std::vector<Store::Trial> others = not_failed(others_);
      auto run = store_.claim(own_);
      if (!run) run = store_.claim(others);
      if (run) {
        run_claimed(*run);
        continue;
      }
      const int64_t leased = store_.standing(own_).leased + store_.standing(others).leased;
      if (leased == 0) return std::move(done_);
      if (!said)
        setup_.progress.say(
            fmt::format("waiting: {} trials are at work in other processes", leased));
      said = true;
      check_interrupted();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  /// Why some wait for answers; empty: none does.
  const std::string& awaiting() const { return awaiting_; }

 private:
  std::vector<Store::Trial> rows_of_store(const std::vector<TrialToRun>& trials) {
    std::vector<Store::Trial> rows;
    for (const TrialToRun& trial : trials) {
      rows.push_back(trial_row(setup_, *trial.arm, trial.seed));
      arms_[rows.back().key] = trial.arm;
    }
    return rows;
  }

  std::vector<Store::Trial> not_failed(std::vector<Store::Trial> trials) {
    if (trials.empty()) return trials;
    std::set<std::string> failed;
    for (const Store::Run& run : store_.runs()) {
      if (run.status == "failed") failed.insert(run.key);
    }
    std::erase_if(trials, [&](const Store::Trial& trial) { return failed.contains(trial.key); });
    return trials;
  }

  void run_claimed(const Store::Run& run) {
    try {
      done_[run.key] = run_trial(setup_, store_, run, *arms_.at(run.key));
    } catch (const Awaiting& awaiting) {
      awaiting_ = awaiting.what();
    }
    const auto same = [&](const Store::Trial& trial) { return trial.key == run.key; };
    std::erase_if(own_, same);
    std::erase_if(others_, same);
  }

  const TrialSetup& setup_;
  Store& store_;
  std::map<std::string, const Arm*> arms_;  // by key
  std::vector<Store::Trial> own_, others_;  // neither done here nor waiting for answers
  std::map<std::string, FinishedTrial> done_;
  std::string awaiting_;
};

// Everything measured, in the order of the results, whoever measured it. Throws Awaiting once the
// others are done, where some wait for answers.
std::vector<FinishedTrial> run_trials(const TrialSetup& setup, Store& store,
                                      const std::vector<TrialToRun>& trials) {
  Worker worker(setup, store, trials, {});
  std::map<std::string, FinishedTrial> done = worker.work();
  if (!worker.awaiting().empty()) {
    const bool people = setup.study.shared.oracle.people();
    throw Awaiting(
        worker.awaiting() +
        (people ? "; distal ask writes the questions, distal answer takes the answers" : ""));
  }
  std::vector<FinishedTrial> in_order;
  for (const TrialToRun& trial : trials) {
    const auto here = done.find(trial_row(setup, *trial.arm, trial.seed).key);
    in_order.push_back(here != done.end()
                           ? std::move(here->second)
                           : run_trial(setup, store,
                                       begin_trial(setup, store, *trial.arm, trial.seed),
                                       *trial.arm));
  }
  return in_order;
}

std::string unfinished(const std::string& folder) { return folder + "/unfinished"; }

// That of all jobs.
const std::string& shared_folder(const RunPlace& place) {
  return place.shared.empty() ? place.folder : place.shared;
}

// A job writes into the folder of whoever started it.
std::unique_ptr<CurvesSoFar> curves_so_far(const TrialSetup& setup, Store& store,
                                           const RunPlace& place) {
  std::vector<CurvesSoFar::Row> rows;
  for (const TrialToRun& trial : trials_of(setup.study))
    rows.push_back({trial_row(setup, *trial.arm, trial.seed).key,
                    trial_of(setup.study, *trial.arm, trial.seed), trial.arm->options.rounds + 1});
  return std::make_unique<CurvesSoFar>(store, shared_folder(place), setup.study.budget_unit(),
                                       std::move(rows), setup.progress);
}

std::vector<WhoAnswers> who_answers(const Study& study, Dataset& dataset, const RunPlace& place,
                                    Progress& progress) {
  return open_oracles(study, dataset,
                      {place.folder, unfinished(shared_folder(place)), place.store_url}, progress);
}

bool asks_again(const OracleRecipe& oracle) {
  const auto parts = oracle.parts();
  return oracle.only.ask_again ||
         std::any_of(parts.begin(), parts.end(), [](const auto* part) { return part->ask_again; });
}

// Of the arms' networks of others, once and on all threads, so that no job waits for another.
void compute_features(const Study& study, Dataset& dataset, const RunPlace& place,
                      Progress& progress) {
  const auto of_others = [](const Arm& arm) {
    return arm.options.student.model.network() != nullptr ||
           (arm.options.uses_embeddings() && arm.options.embeddings->network);
  };
  if (std::none_of(study.arms.begin(), study.arms.end(), of_others)) return;
  NetworkTrainer trainer(
      *dataset.reader, dataset.classes, [&] { return dataset.clips(); },
      unfinished(shared_folder(place)), progress, *dataset.task);
  trainer.embed([&] { return dataset.askable(); }, study.shared.data.root);
  for (const Arm& arm : study.arms) {
    trainer.compute_features(arm.options.student);
    if (arm.options.uses_embeddings()) trainer.embeddings(*arm.options.embeddings, {});
  }
}

// Who answered, for the report.
void put_oracles(Results& results, const Study& study, const std::vector<WhoAnswers>& who) {
  results.teacher = line_of(study, who);
  for (const WhoAnswers& one : who)
    results.teacher_accuracy = std::max(results.teacher_accuracy, one.accuracy);
  const OracleRecipe& recipe = study.shared.oracle;
  if (!recipe.mixed()) return;
  results.oracles = {{"first", who.front().line, recipe.first->price, ""},
                     {"then", who.back().line, recipe.then->price, recipe.when_words()}};
}

}  // namespace

OpenedStudy open_study(const Study& study, const RunPlace& place, Progress& progress) {
  const Store refused_early(place.store_url);  // before anything is read
  if (!place.dataset.empty()) return {load_dataset(study, place.dataset), 0};
  OpenedStudy opened{open_dataset(study, progress), 0};
  opened.read_s = drop_unreadable(study, opened.dataset, progress);
  return opened;
}

void train_shared(const Study& study, OpenedStudy& opened, const RunPlace& place,
                  Progress& progress) {
  compute_features(study, opened.dataset, place, progress);
  const OracleRecipe& oracle = study.shared.oracle;
  const bool again = asks_again(oracle);
  if (!again && !oracle.any([](const OracleTraits& traits) { return traits.trained_here; })) return;
  std::vector<WhoAnswers> who = who_answers(study, opened.dataset, place, progress);
  if (!again) return;
  Store store(place.store_url);
  answer_source(study, opened.dataset, who, again, store, progress);  // marks what was refused
}

Results run(const Study& study, OpenedStudy& opened, const RunPlace& place, Progress& progress) {
  Store store(place.store_url);
  Dataset& dataset = opened.dataset;
  NetworkTrainer trainer(
      *dataset.reader, dataset.classes, [&] { return dataset.clips(); }, unfinished(place.folder),
      progress, *dataset.task);
  trainer.pretrain_on([&] { return dataset.pool; }, study.shared.cache);
  trainer.embed([&] { return dataset.askable(); }, study.shared.data.root);
  trainer.watch(step_logs(shared_folder(place), progress));
  std::vector<WhoAnswers> who = who_answers(study, dataset, place, progress);
  // Once a command: not by each share, nor what a share was refused just now.
  const bool again = place.shares == 1 && !place.asked_again;
  const auto source = answer_source(study, dataset, who, again, store, progress);

  label_test_set(dataset, source->then());
  Results results = describe(study, dataset, place.command);
  put_oracles(results, study, who);
  results.read_s = opened.read_s;
  const auto network = [&] { return load_model(who.front().network).net; };
  std::unique_ptr<CurvesSoFar> curves;
  const TrialSetup setup{study,
                         dataset,
                         trainer,
                         *source,
                         place.folder,
                         /*collects=*/place.shares == 1,
                         network,
                         progress,
                         [&] { curves->update(); },
                         shared_folder(place)};
  curves = curves_so_far(setup, store, place);
  if (place.shares > 1) {
    Worker(setup, store, dealt(study, place, true),
           place.helps_others ? dealt(study, place, false) : std::vector<TrialToRun>())
        .work();
    return results;
  }
  std::map<int64_t, int64_t> seeds;
  std::vector<int64_t> runs;
  for (FinishedTrial& finished : run_trials(setup, store, trials_of(study))) {
    seeds[finished.run] = finished.trial.seed;
    runs.push_back(finished.run);
    results.trials.push_back(std::move(finished.trial));
  }
  add_findings(results, study, dataset, store, seeds);
  add_asked(results, runs, study, dataset, store, place.store_url, source->answerer());
  return results;
}

}  // namespace distal
