#include "distal/study/waiting.h"

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/store/people_store.h"
#include "distal/study/reasons.h"

namespace distal {
namespace {

// Of two oracles all is waited for: what the second is asked depends on what the first says.
OracleTraits traits_of(const TrialSetup& setup) {
  const OracleRecipe& oracle = setup.study.shared.oracle;
  return oracle.mixed() ? OracleTraits() : oracle.only.kind->traits();
}

// Left out counts as answered: nobody will say more.
struct SoFar {
  Answers answers;  // while some are open, people may still take them back
  std::vector<Clip> answered, open;
};

SoFar ask_so_far(const TrialSetup& setup, const AskedInRound& asked) {
  SoFar so_far{setup.oracle.ask(refs_of(asked.clips), asked.why)};
  const auto& rows = so_far.answers.awaited;
  const std::set<size_t> awaited(rows.begin(), rows.end());
  for (size_t i = 0; i < asked.clips.size(); ++i)
    (awaited.contains(i) ? so_far.open : so_far.answered).push_back(asked.clips[i]);
  return so_far;
}

// Whether a training ends before people have answered what is open. Else a round that is answered
// meanwhile would wait for a ranking that nobody sees.
bool is_in_time(const TrialSetup& setup, const std::vector<Clip>& open, const TrialRecord& record) {
  double train_s = 0;
  for (const RoundResult& round : record.rounds()) train_s = std::max(train_s, round.train_s);
  double people_s = 0;
  for (const PersonTime& time : setup.oracle.person_times(refs_of(open)))
    people_s += time.left_s / kMostOfExpected;
  return train_s < people_s;
}

// An order of all clips: what limits a choice does not count any more.
SelectionOptions without_limits(const SelectionOptions& chosen_by) {
  SelectionOptions options;
  options.ask = chosen_by.ask;
  options.aggregate = chosen_by.aggregate;
  options.top_m = chosen_by.top_m;
  return options;
}

void order_open(const TrialSetup& setup, const Arm& arm, int64_t round,
                const std::vector<Clip>& open, const LabeledSet& known, const Student& student,
                Random random) {
  ArmOptions ranking = arm.options;
  ranking.selection = without_limits(arm.options.selection);
  const ScoredPool pool = score_pool(setup.trainer, setup.oracle, ranking, setup.dataset.labels(),
                                     student, known, refs_of(open), random);
  const Random draw = random.stream("rank again", round);
  const torch::Tensor rows =
      select(*ranking.strategy, pool.scores, static_cast<double>(pool.clips.size()),
             ranking.selection, draw);
  auto why = asked_in_order(rows.size(0), "pool", round, ranking.criterion());
  add_reasons(why, setup.trainer, {ranking, pool, student, known}, rows, draw);
  ClipRefs in_order;
  for (int64_t i = 0; i < rows.size(0); ++i)
    in_order.push_back(pool.clips[rows[i].item<int64_t>()]);
  setup.oracle.rank_again(in_order, why);
}

// Trains a student on what is there, and orders what is open with it.
void rank_again(const TrialSetup& setup, const Arm& arm, const AskedInRound& asked,
                const LabeledSet& known, const TrainOn& train, Random random, TrialRecord& record) {
  const int64_t after = traits_of(setup).rank_again;
  if (after == 0 || !arm.options.scores_pool()) return;
  if (follows_first_seed(setup.study.shared, record.seed())) return;
  const SoFar so_far = ask_so_far(setup, asked);
  const int64_t answered = std::ssize(so_far.answered);
  if (so_far.open.empty() || answered - record.ranking(asked.round) < after) return;
  if (!is_in_time(setup, so_far.open, record)) return;
  const std::string name = fmt::format("{} seed {} round {}", arm.name, record.seed(), asked.round);
  double seconds = 0;
  timed(seconds, [&] {
    LabeledSet by_now = known;
    const auto more =
        samples_of(so_far.answers, setup.oracle, asked.clips, *setup.dataset.task).samples;
    by_now.samples.insert(by_now.samples.end(), more.begin(), more.end());
    order_open(setup, arm, asked.round, so_far.open, by_now,
               train(by_now.samples, name + " so far"), random);
  });
  record.put_ranking(asked.round, answered);
  setup.trainer.take_notes();  // of a training that no result comes from
  setup.progress.say(fmt::format("{}: after {} answers, the other {} clips are ranked again "
                                 "({:.1f} s)",
                                 name, answered, so_far.open.size(), seconds));
}

}  // namespace

bool follows_first_seed(const SharedOptions& shared, int64_t seed) {
  return shared.chooses == "first_seed" && seed != shared.seed;
}

void go_on_with_answered(const TrialSetup& setup, AskedInRound& asked, TrialRecord& record) {
  const double share = traits_of(setup).share;
  if (share >= 1 || follows_first_seed(setup.study.shared, record.seed())) return;
  if (setup.dataset.test_awaited > 0) return;  // the trial waits anyway
  const SoFar so_far = ask_so_far(setup, asked);
  const double wanted = share * static_cast<double>(asked.clips.size());
  const bool enough = static_cast<double>(so_far.answered.size()) >= wanted - 1e-9;
  if (so_far.open.empty() || !enough) return;
  const std::set<std::string> gone = record.unreserve(asked.round, so_far.open);
  setup.progress.say(fmt::format("seed {} round {} goes on without {} of {} clips, which nobody "
                                 "has answered (oracle.share = {:g})",
                                 record.seed(), asked.round, gone.size(), asked.clips.size(),
                                 share));
  std::erase_if(asked.clips, [&](const Clip& clip) { return gone.contains(clip.key()); });
  asked.why.clear();  // all of the others are answered
}

Answered learn_from(const TrialSetup& setup, const Arm& arm, AskedInRound& asked,
                    const LabeledSet& known, const TrainOn& train, Random random,
                    TrialRecord& record, Allowance& allowance) {
  go_on_with_answered(setup, asked, record);
  try {
    return samples_about(setup.oracle, asked.clips, *setup.dataset.task, asked.why, &allowance);
  } catch (const Awaiting&) {
    rank_again(setup, arm, asked, known, train, random, record);
    throw;
  }
}

}  // namespace distal
