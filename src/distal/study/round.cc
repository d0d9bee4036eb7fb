#include "distal/study/round.h"

#include <fmt/ranges.h>

#include "distal/base/random.h"
#include "distal/study/mixing.h"
#include "distal/study/reasons.h"

namespace distal {
namespace {

std::vector<Clip> with_views(const std::vector<Clip>& clips, int64_t answers) {
  std::vector<Clip> all;
  for (Clip clip : clips) {
    for (clip.view = 0; clip.view < answers; ++clip.view) all.push_back(clip);
  }
  return all;
}

// Training has a stopwatch of its own: the student comes before.
void choose_by_mixing(Chosen& chosen, Trainer& trainer, const ArmOptions& arm, const Task& task,
                      const Student& student, const LabeledSet& known, Random random) {
  const ChosenMixes mixes = timed(
      chosen.score_s, [&] { return choose_mixes(trainer, arm, student.net, known, random, task); });
  chosen.clips = mixes.clips;
  chosen.cost.forwards = mixes.forwards;
}

std::string answerer_names(const AnswerSource& oracle) {
  std::vector<std::string> names;
  for (const Answerer& who : oracle.answerers()) names.push_back(who.oracle);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Chosen choose(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm, const Dataset& dataset,
              const LabeledSet& known, const std::function<Student()>& student, Random trial,
              int64_t round, const WatchPool& watch) {
  Chosen chosen;
  const Random draw = trial.stream("select", round);
  const Student wanted = arm.scores() ? student() : Student{};
  if (arm.mixes) {
    choose_by_mixing(chosen, trainer, arm, *dataset.task, wanted, known, draw);
  } else if (arm.budget < 0) {
    chosen.clips = copies_of(known.open(dataset.pool));
  } else {
    const ScoredPool pool = timed(chosen.score_s, [&] {
      return score_pool(trainer, oracle, arm, dataset.labels(), wanted, known,
                        known.open(dataset.pool), trial);
    });
    const double clips = arm.budget / static_cast<double>(arm.answers_per_clip);
    const torch::Tensor rows = timed(chosen.select_s, [&] {
      return select(*arm.strategy, pool.scores, clips, arm.selection, draw);
    });
    for (int64_t i = 0; i < rows.size(0); ++i)
      chosen.clips.push_back(*pool.clips[rows[i].item<int64_t>()]);
    chosen.why = asked_in_order(chosen.clips.size(), "pool", round, arm.criterion());
    if (oracle.shows_why() && arm.answers_per_clip == 1) {
      timed(chosen.score_s, [&] {
        add_reasons(chosen.why, trainer, {arm, pool, wanted, known}, rows, draw);
      });
    }
    if (watch && pool.scores.embeddings.defined()) watch(pool, wanted);
  }
  chosen.clips = with_views(chosen.clips, arm.answers_per_clip);
  if (chosen.why.size() != chosen.clips.size())
    chosen.why = asked_in_order(chosen.clips.size(), "pool", round, arm.criterion());
  return chosen;
}

std::vector<AskedFor> asked_in_order(size_t clips, const std::string& purpose, int64_t round,
                                     const std::string& strategy) {
  std::vector<AskedFor> why;
  for (size_t i = 0; i < clips; ++i)
    why.push_back({purpose, round, static_cast<int64_t>(i), strategy, {}});
  return why;
}

Answers answers_about(AnswerSource& oracle, const std::vector<Clip>& clips,
                      const std::vector<AskedFor>& why, Allowance* allowance) {
  const ClipRefs refs = refs_of(clips);
  Answers answers = allowance ? oracle.ask_within(refs, why, *allowance) : oracle.ask(refs, why);
  if (!answers.complete())
    throw Awaiting(fmt::format(
        "oracle {}: {} of {} answers are awaited; repeat the command once they are there",
        answerer_names(oracle), answers.awaited.size(), clips.size()));
  return answers;
}

Answered samples_about(AnswerSource& oracle, const std::vector<Clip>& clips, const Task& task,
                       const std::vector<AskedFor>& why, Allowance* allowance) {
  return samples_of(answers_about(oracle, clips, why, allowance), oracle, clips, task);
}

Answered samples_of(const Answers& answers, AnswerSource& oracle, const std::vector<Clip>& clips,
                    const Task& task) {
  Answered answered;
  answered.said = said_about(answers, clips, task);
  int64_t right = 0;
  int64_t with_truth = 0;
  for (size_t i = 0; i < clips.size(); ++i) {
    if (answers.probabilities[i].empty())
      continue;  // unreadable for the teacher (quarantined), left out, or awaited
    Sample sample{clips[i]};
    const std::vector<double>& said = answers.probabilities[i];
    const bool soft = (answers.second_asked(i) ? oracle.then() : oracle.first()).is_teacher();
    (soft ? sample.teacher : sample.target).assign(said.begin(), said.end());
    right += sample.likely(task) == clips[i].label;
    with_truth += clips[i].label >= 0;
    answered.samples.push_back(std::move(sample));
  }
  if (with_truth > 0)
    answered.accuracy = static_cast<double>(right) / static_cast<double>(with_truth);
  return answered;
}

}  // namespace distal
