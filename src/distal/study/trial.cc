#include "distal/study/trial.h"

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/revision.h"
#include "distal/evaluation/metrics.h"
#include "distal/study/student_file.h"
#include "distal/study/trial_map.h"
#include "distal/study/waiting.h"
#include "distal/study/whole_videos.h"

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

// By a strategy over embeddings from elsewhere, or over the features of a network that nobody has
// trained. `ask`: clip, or video.
std::vector<Clip> cold_draw(const TrialSetup& setup, const ArmOptions& arm, const std::string& ask,
                            const ClipRefs& source, const LabeledSet& known, Random random,
                            const WatchPool& watch) {
  ArmOptions cold = arm;
  cold.strategy.name = arm.start_draw;
  cold.strategy.method = make<Strategy>(arm.start_draw);
  cold.selection = {};
  cold.selection.ask = ask;
  Student untrained{nullptr, nullptr, "cold start"};
  if (!cold.embeds_elsewhere())
    untrained.net = setup.trainer.untrained(arm.student, random.stream("student"));
  const ScoredPool pool = score_pool(setup.trainer, setup.oracle, cold, setup.dataset.labels(),
                                     untrained, known, source, random);
  watch(pool, untrained);
  const int64_t count = arm.start < 0 ? std::ssize(pool.clips) : arm.start;
  const torch::Tensor rows = select(*cold.strategy, pool.scores, static_cast<double>(count),
                                    cold.selection, random.stream("select"));
  std::vector<Clip> drawn;
  for (int64_t i = 0; i < rows.size(0); ++i) drawn.push_back(*pool.clips[rows[i].item<int64_t>()]);
  return drawn;
}

// Of what a trial reserved that follows the first seed, what that one has not given back.
std::vector<Clip> without_withdrawn(const std::vector<Clip>& own, const std::vector<Clip>& first,
                                    int64_t round, TrialRecord& record) {
  std::set<std::string> kept;
  for (const Clip& clip : first) kept.insert(clip.key());
  std::vector<Clip> gone = own;
  std::erase_if(gone, [&](const Clip& clip) { return kept.contains(clip.key()); });
  if (!gone.empty()) record.unreserve(round, gone, /*answered_too=*/true);
  return first;
}

// The initial clips, where the trial draws them itself.
std::vector<Clip> first_draw(const TrialSetup& setup, const ArmOptions& arm, const ClipRefs& source,
                             const LabeledSet& known, Random random, const WatchPool& watch) {
  const bool whole_videos = setup.study.shared.oracle.asked_then().kind->traits().by_video;
  if (arm.draws_start_by_features())
    return cold_draw(setup, arm, whole_videos ? "video" : "clip", source, known, random, watch);
  if (whole_videos) return draw_videos(source, arm.start, random);
  return initial_draw(source, arm, setup.dataset.classes.size(), random);
}

// What stands already: what the trial reserved in that round, else, where the first seed chooses
// for all, what that one reserved. Nothing where the trial is to choose itself.
std::optional<std::vector<Clip>> chosen_before(const TrialSetup& setup, const Arm& arm,
                                               int64_t round, TrialRecord& record) {
  const SharedOptions& shared = setup.study.shared;
  const bool follows = follows_first_seed(shared, record.seed());
  const auto own = record.reserved(round, setup.dataset);
  if (!follows || (own && !shared.oracle.people())) return own;
  const std::string first = trial_row(setup, arm, shared.seed).key;
  const auto chosen = record.reserved_by(first, round, setup.dataset);
  if (own && chosen) return without_withdrawn(*own, *chosen, round, record);
  if (own || chosen) return own ? own : chosen;
  throw Awaiting(fmt::format("arm {}: seed {} chooses for all seeds and has not come to round {}",
                             arm.name, shared.seed, round));
}

// People may answer about the clips of a round until its minutes are used up. What others were
// asked about costs them what it took, or may take.
void limit_time(Chosen& chosen, const ArmOptions& arm, AnswerSource& oracle,
                const TrialRecord& record, int64_t round) {
  if (arm.selection.unit != "minutes" || arm.budget < 0) return;
  TimeBudget budget{fmt::format("{} round {}", record.key(), round), 60 * arm.budget};
  for (const PersonTime& time : oracle.person_times(refs_of(chosen.clips))) {
    if (time.asked) budget.seconds -= time.taken_s + time.left_s;
  }
  budget.seconds = std::max(0.0, budget.seconds);
  for (AskedFor& why : chosen.why) why.budget = budget;
}

// Minutes that answers about the clips of all rounds took so far; -1: nobody was asked.
double people_minutes(AnswerSource& oracle, const TrialRecord& record, const Dataset& dataset,
                      int64_t round) {
  if (!oracle.shows_why()) return -1;  // no person answers
  double seconds = 0;
  bool asked = false;
  for (int64_t before = 0; before <= round; ++before) {
    const auto clips = record.reserved(before, dataset).value_or(std::vector<Clip>());
    for (const PersonTime& time : oracle.person_times(refs_of(clips))) {
      seconds += time.taken_s;
      asked = true;
    }
  }
  return asked ? seconds / 60 : -1;
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

// Adds what it takes to `seconds`.
TrainOn trains_on(const TrialSetup& setup, const ArmOptions& arm, Random random, double& seconds) {
  return [&setup, &arm, random, &seconds, teacher = Model()](const std::vector<Sample>& samples,
                                                             const std::string& name) mutable {
    if (arm.matching && !teacher) teacher = setup.teacher();  // opened where something is trained
    const auto fit = [&] {
      return setup.trainer.train(arm.student, arm.loss, samples, random, name, teacher);
    };
    return Student{timed(seconds, fit), teacher, name};
  };
}

void finish_round(const TrialSetup& setup, const Arm& arm, RoundResult& result,
                  const std::vector<Clip>& asked, TrialRecord& record) {
  const Store::Spent spent = record.spent();
  result.answers = spent.answers;
  result.watched_s = spent.seconds;
  result.price = spent.price;
  result.people_minutes = people_minutes(setup.oracle, record, setup.dataset, result.round);
  const std::set<std::string> notes = setup.trainer.take_notes();
  record.note({{notes.begin(), notes.end()}, setup.dataset.quarantine(), {}});
  record.put_round(result, asked);
  if (setup.measured) setup.measured();
  setup.progress.say(fmt::format(
      "{} seed {} round {}: {} answers, {:.0f} s of video, accuracy {:.4f}", arm.name,
      record.seed(), result.round, result.answers, result.watched_s, result.metrics.accuracy));
}

// The teacher, of two oracles the first, answers about what is known already.
void ask_teacher_too(const TrialSetup& setup, Start& start) {
  std::vector<Sample>& samples = start.known.samples;
  const std::vector<Clip> clips = start.known.clips();
  Answers answers = timed(start.ask_s, [&] { return answers_about(setup.oracle.first(), clips); });
  const bool people = start.said.then.answers > 0;
  answers.doubted.resize(people ? clips.size() : 0);
  for (size_t i = 0; i < clips.size(); ++i) {
    std::vector<double>& said = answers.probabilities[i];
    samples[i].teacher.assign(said.begin(), said.end());
    if (people && !said.empty())  // who labelled it has the last word
      answers.doubted[i] =
          std::exchange(said, {samples[i].target.begin(), samples[i].target.end()});
  }
  Tally counted = said_about(answers, clips, *setup.dataset.task);
  counted.first.samples = 0;
  counted.then = {};  // counted when they were asked
  start.said += counted;
}

void add_answers(Start& start, const std::vector<Clip>& asked, const Answered& answered) {
  std::vector<Sample>& samples = start.known.samples;
  samples.insert(samples.end(), answered.samples.begin(), answered.samples.end());
  start.known.close(asked);
  start.said += answered.said;
}

}  // namespace

Store::Trial trial_row(const TrialSetup& setup, const Arm& arm, int64_t seed) {
  const std::string key =
      trial_key(setup.study, arm, seed, setup.dataset.lists_id, setup.oracle.version());
  return {key, setup.study.name + "/" + arm.name, seed, arm.resolved, revision()};
}

Trial trial_of(const Study& study, const Arm& arm, int64_t seed) {
  return {arm.name, seed, arm.against.empty(), {}, arm.against, study.hears_teacher(arm)};
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
  const auto keep = [&](const ScoredPool& pool, const Student& scored) {
    keep_pool_map(setup, begun, 0, pool, scored, known, record);
  };
  if (clips.empty()) clips = first_draw(setup, arm, source, known, random, keep);
  const bool people = setup.study.shared.oracle.people() && dataset.start_in_pool();
  const double price = (people ? setup.oracle.then().price() : 0) +
                       (arm.ask_start ? setup.oracle.first().price() : 0);
  record.reserve(0, clips, arm, price);
  if (people) {
    AskedInRound asked{0, clips, asked_in_order(clips.size(), "start", 0, arm.start_draw)};
    const Answered answered = timed(start.ask_s, [&] {
      go_on_with_answered(setup, asked, record);
      return samples_about(setup.oracle.then(), asked.clips, *dataset.task, asked.why);
    });
    known.samples = answered.samples;
    start.said.then = answered.said.first;
    clips = asked.clips;
    if (known.samples.empty())
      fail("arm {}: people left out every clip that it starts from, so that there is nothing to "
           "learn from; raise start, or draw it otherwise",
           begun.name);
  } else {
    for (const Clip& clip : clips)
      known.samples.push_back({clip, dataset.labels().target(clip.label)});
  }
  known.close(clips);
  record.note({{}, {}, unseen(dataset.classes, known.samples)});
  if (arm.ask_start) ask_teacher_too(setup, start);
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
    limit_time(earlier, arm, setup.oracle, record, round);
    return earlier;
  }
  const auto keep = [&](const ScoredPool& pool, const Student& scored) {
    keep_pool_map(setup, choosing, round, pool, scored, known, record);
  };
  Chosen chosen =
      choose(setup.trainer, setup.oracle, arm, setup.dataset, known, student, random, round, keep);
  if (arm.mixes) record.keep_cost(round, chosen.cost);
  limit_time(chosen, arm, setup.oracle, record, round);
  record.reserve(round, chosen.clips, arm, setup.oracle.price());
  return chosen;
}

FinishedTrial run_trial(const TrialSetup& setup, Store& store, const Store::Run& begun,
                        const Arm& arm) {
  StoredRecord record(store, begun, setup.oracle.answerers());
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
  Trial trial = trial_of(setup.study, arm, record.seed());

  RoundResult result;
  Start start = start_trial(setup, arm, record, random.stream("start"));
  require_test(setup.dataset);
  LabeledSet& known = start.known;
  result.ask_s = start.ask_s;
  std::vector<Clip> asked = known.clips();
  SecondAllowance allowance(setup.study.shared.oracle, setup.oracle, record);
  const TrainOn train_on = trains_on(setup, options, random.stream("student"), result.train_s);
  const auto train = [&](int64_t round) {
    return train_on(known.samples,
                    fmt::format("{} seed {} round {}", arm.name, record.seed(), round));
  };
  Student student;
  for (int64_t round = 0; round <= options.rounds; ++round) {
    if (round > 0) {
      result = {round};
      const auto student_so_far = [&] { return student.net ? student : train(round - 1); };
      const Chosen chosen = choose_once(setup, arm, known, round, student_so_far, random, record);
      result.forwards = chosen.cost.forwards;
      result.score_s = chosen.score_s;
      result.select_s = chosen.select_s;
      AskedInRound round_asks{round, chosen.clips, chosen.why};
      const Answered answered = timed(result.ask_s, [&] {
        return learn_from(setup, arm, round_asks, known, train_on, random, record, allowance);
      });
      asked = round_asks.clips;
      result.answer_accuracy = answered.accuracy;
      add_answers(start, asked, answered);
    }
    if (round < std::ssize(done)) {  // measured before: by this trial until it was stopped, or by
                                     // one of fewer or more rounds
      trial.rounds.push_back(done[round]);
      student = {};
      continue;
    }
    student = train(round);
    result.loss_fall = setup.trainer.loss_fall();
    result.metrics = timed(result.evaluate_s, [&] {
      return measure_student(setup.trainer, options, *student.net, setup.dataset);
    });
    if (round == options.rounds)
      keep_student(setup, arm, *student.net, known, result.metrics, record);
    put_said(result, start.said, std::ssize(known.samples), setup.oracle);
    finish_round(setup, arm, result, asked, record);
    trial.rounds.push_back(result);
  }
  if (!student.net && lacks_student(setup, arm, record) && !take_student(setup, arm, record))
    keep_student(setup, arm, *train(options.rounds).net, known, trial.rounds.back().metrics,
                 record);
  return trial;
}

}  // namespace distal
