#include "distal/study/trial.h"

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/revision.h"
#include "distal/evaluation/metrics.h"
#include "distal/study/student_file.h"

namespace distal {
namespace {

// Classes that the initial clips hold none of, as a random draw may: the report tells.
std::vector<std::string> unseen(const Classes& classes, const std::vector<Sample>& samples) {
  std::vector<bool> seen(classes.size(), false);
  for (const Sample& sample : samples) seen.at(sample.likely()) = true;
  std::vector<std::string> names;
  for (int64_t k = 0; !samples.empty() && k < classes.size(); ++k) {
    if (!seen[k]) names.push_back(classes.names[k]);
  }
  return names;
}

// By a strategy over the features of a network that nobody has trained.
std::vector<Clip> cold_draw(const TrialSetup& setup, const ArmOptions& arm, const ClipRefs& source,
                            const LabeledSet& known, Random random) {
  ArmOptions cold = arm;
  cold.strategy.name = arm.start_draw;
  cold.strategy.method = make<Strategy>(arm.start_draw);
  cold.selection = {};
  const Student untrained{setup.trainer.untrained(arm.student, random.stream("student")), nullptr,
                          "cold start"};
  const ScoredPool pool = score_pool(setup.trainer, setup.oracle, cold, setup.dataset.labels(),
                                     untrained, known, source, random);
  const int64_t count = arm.start < 0 ? std::ssize(pool.clips) : arm.start;
  const torch::Tensor rows = select(*cold.strategy, pool.scores, static_cast<double>(count),
                                    cold.selection, random.stream("select"));
  std::vector<Clip> drawn;
  for (int64_t i = 0; i < rows.size(0); ++i) drawn.push_back(*pool.clips[rows[i].item<int64_t>()]);
  return drawn;
}

// What stands already: what the trial reserved in that round, else, where the first seed chooses
// for all, what that one reserved. Nothing where the trial is to choose itself.
std::optional<std::vector<Clip>> chosen_before(const TrialSetup& setup, const Arm& arm,
                                               int64_t round, const TrialRecord& record) {
  if (auto own = record.reserved(round, setup.dataset)) return own;
  const SharedOptions& shared = setup.study.shared;
  if (shared.chooses != "first_seed" || record.seed() == shared.seed) return std::nullopt;
  const std::string first = trial_row(setup, arm, shared.seed).key;
  if (auto chosen = record.reserved_by(first, round, setup.dataset)) return chosen;
  throw Awaiting(fmt::format("arm {}: seed {} chooses for all seeds and has not come to round {}",
                             arm.name, shared.seed, round));
}

// Nobody is measured before people have said what the test clips show.
void require_test(const Dataset& dataset) {
  if (dataset.test_awaited == 0) return;
  throw Awaiting(fmt::format("answers about {} of the test clips are awaited; repeat the command "
                             "once they are there",
                             dataset.test_awaited));
}

Metrics measure_student(Trainer& trainer, const ArmOptions& arm, Net& student,
                        const Dataset& dataset) {
  const Predictions seen = trainer.predict(student, arm.student, dataset.test);
  return measure(seen.logits, seen.rows, dataset.test, *dataset.task);
}

void finish_round(const TrialSetup& setup, const Arm& arm, RoundResult& result,
                  const std::vector<Clip>& asked, TrialRecord& record) {
  const Store::Spent spent = record.spent();
  result.answers = spent.answers;
  result.watched_s = spent.seconds;
  result.price = spent.price;
  const std::set<std::string> notes = setup.trainer.take_notes();
  record.note({{notes.begin(), notes.end()}, setup.dataset.quarantine(), {}});
  record.put_round(result, asked);
  setup.progress.say(fmt::format(
      "{} seed {} round {}: {} answers, {:.0f} s of video, accuracy {:.4f}", arm.name,
      record.seed(), result.round, result.answers, result.watched_s, result.metrics.accuracy));
}

}  // namespace

Store::Trial trial_row(const TrialSetup& setup, const Arm& arm, int64_t seed) {
  const std::string key =
      trial_key(setup.study, arm, seed, setup.dataset.lists_id, setup.oracle.version());
  return {key, setup.study.name + "/" + arm.name, seed, arm.resolved, revision()};
}

Store::Run begin_trial(const TrialSetup& setup, Store& store, const Arm& arm, int64_t seed) {
  const Store::Trial row = trial_row(setup, arm, seed);
  return store.begin_or_continue(row.key, row.name, row.seed, row.recipe, row.revision);
}

Start start_trial(const TrialSetup& setup, const Arm& begun, TrialRecord& record, Random random) {
  const ArmOptions& arm = begun.options;
  const Dataset& dataset = setup.dataset;
  Start start{limited_pool(dataset.pool, arm.pool_size, random.stream("pool")), 0};
  LabeledSet& known = start.known;
  const ClipRefs source =
      dataset.start_in_pool() ? known.open(dataset.pool) : refs_of(dataset.start);
  // A start that was drawn stands, whatever can be read of the pool by now.
  std::vector<Clip> clips = chosen_before(setup, begun, 0, record).value_or(std::vector<Clip>());
  if (clips.empty()) {
    clips = arm.draws_start_by_features()
                ? cold_draw(setup, arm, source, known, random)
                : initial_draw(source, arm, dataset.classes.size(), random);
  }
  const bool people = setup.study.shared.oracle.kind->traits().people;
  record.reserve(0, clips, arm, arm.ask_start || people ? setup.oracle.price() : 0);
  known.close(clips);
  if (people) {
    const auto why = asked_in_order(clips.size(), "start", 0, arm.start_draw);
    known.samples = timed(start.ask_s, [&] {
                      return samples_about(setup.oracle, clips, *dataset.task, why);
                    }).samples;
  } else {
    for (const Clip& clip : clips)
      known.samples.push_back({clip, dataset.labels().target(clip.label)});
  }
  record.note({{}, {}, unseen(dataset.classes, known.samples)});
  if (!arm.ask_start) return start;
  const auto answers = timed(start.ask_s, [&] { return answers_about(setup.oracle, clips); });
  for (size_t i = 0; i < clips.size(); ++i)
    known.samples[i].teacher.assign(answers[i].begin(), answers[i].end());
  return start;
}

Chosen choose_once(const TrialSetup& setup, const Arm& choosing, const LabeledSet& known,
                   int64_t round, const std::function<Student()>& student, Random random,
                   TrialRecord& record) {
  const ArmOptions& arm = choosing.options;
  if (const auto before = chosen_before(setup, choosing, round, record)) {
    Chosen earlier{*before, record.cost(round)};
    record.reserve(round, earlier.clips, arm, setup.oracle.price());
    earlier.why = asked_in_order(earlier.clips.size(), "pool", round, arm.criterion());
    return earlier;
  }
  const Chosen chosen =
      choose(setup.trainer, setup.oracle, arm, setup.dataset, known, student, random, round);
  if (arm.mixes) record.keep_cost(round, chosen.cost);
  record.reserve(round, chosen.clips, arm, setup.oracle.price());
  return chosen;
}

FinishedTrial run_trial(const TrialSetup& setup, Store& store, const Store::Run& begun,
                        const Arm& arm) {
  StoredRecord record(store, begun, setup.oracle.answerer());
  const int64_t run = begun.id;
  try {
    const Trial trial = run_rounds(setup, arm, record);
    store.finish(run, "done");
    return {run, trial};
  } catch (const Interrupted&) {
    store.finish(run, "stopped");
    throw;
  } catch (const Awaiting&) {
    store.finish(run, "waiting");
    throw;
  } catch (const std::exception& error) {
    store.event(run, "failed", error.what());
    store.finish(run, "failed");
    throw;
  }
}

Trial run_rounds(const TrialSetup& setup, const Arm& arm, TrialRecord& record) {
  const ArmOptions& options = arm.options;
  const Random random(
      static_cast<uint64_t>(record.seed()));  // the same for every arm: arms are paired
  const std::vector<RoundResult> done = record.rounds();
  Trial trial{arm.name, record.seed(), arm.against.empty(),
              {},       arm.against,   setup.study.hears_teacher(arm)};

  RoundResult result;
  Start start = start_trial(setup, arm, record, random.stream("start"));
  require_test(setup.dataset);
  LabeledSet& known = start.known;
  result.ask_s = start.ask_s;
  std::vector<Clip> asked = known.clips();
  Model teacher;  // opened where something is trained
  const auto train = [&](int64_t round) {
    const std::string name = fmt::format("{} seed {} round {}", arm.name, record.seed(), round);
    if (options.matching && !teacher) teacher = setup.teacher();
    const auto fit = [&] {
      return setup.trainer.train(options.student, options.loss, known.samples,
                                 random.stream("student"), name, teacher);
    };
    return Student{timed(result.train_s, fit), teacher, name};
  };
  Student student;
  for (int64_t round = 0; round <= options.rounds; ++round) {
    if (round > 0) {
      result = {round};
      const auto student_so_far = [&] { return student.net ? student : train(round - 1); };
      const Chosen chosen = choose_once(setup, arm, known, round, student_so_far, random, record);
      asked = chosen.clips;
      result.forwards = chosen.cost.forwards;
      result.score_s = chosen.score_s;
      result.select_s = chosen.select_s;
      const Answered answered = timed(result.ask_s, [&] {
        return samples_about(setup.oracle, asked, *setup.dataset.task, chosen.why);
      });
      result.answer_accuracy = answered.accuracy;
      known.close(asked);
      known.samples.insert(known.samples.end(), answered.samples.begin(), answered.samples.end());
    }
    if (round < std::ssize(done)) {  // measured before: by this trial until it was stopped, or by
                                     // one of fewer or more rounds
      trial.rounds.push_back(done[round]);
      student = {};
      continue;
    }
    student = train(round);
    result.metrics = timed(result.evaluate_s, [&] {
      return measure_student(setup.trainer, options, *student.net, setup.dataset);
    });
    if (round == options.rounds) keep_student(setup, arm, *student.net, record);
    finish_round(setup, arm, result, asked, record);
    trial.rounds.push_back(result);
  }
  if (!student.net && lacks_student(setup, arm, record) && !take_student(setup, arm, record))
    keep_student(setup, arm, *train(options.rounds).net, record);
  return trial;
}

}  // namespace distal
