#include "distal/study/round.h"

#include "distal/base/random.h"
#include "distal/study/mixing.h"

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

}  // namespace

Chosen choose(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm, const Dataset& dataset,
              const LabeledSet& known, const std::function<Student()>& student, Random trial,
              Random round) {
  Chosen chosen;
  const Student wanted = arm.scores() ? student() : Student{};
  if (arm.mixes) {
    choose_by_mixing(chosen, trainer, arm, *dataset.task, wanted, known, round);
  } else if (arm.budget < 0) {
    chosen.clips = copies_of(known.open(dataset.pool));
  } else {
    const ScoredPool pool = timed(chosen.score_s, [&] {
      return score_pool(trainer, oracle, arm, dataset.labels(), wanted, known,
                        known.open(dataset.pool), trial);
    });
    const double clips = arm.budget / static_cast<double>(arm.answers_per_clip);
    const torch::Tensor rows = timed(chosen.select_s, [&] {
      return select(*arm.strategy, pool.scores, clips, arm.selection, round);
    });
    for (int64_t i = 0; i < rows.size(0); ++i)
      chosen.clips.push_back(*pool.clips[rows[i].item<int64_t>()]);
  }
  chosen.clips = with_views(chosen.clips, arm.answers_per_clip);
  return chosen;
}

std::vector<std::vector<double>> answers_about(AnswerSource& oracle,
                                               const std::vector<Clip>& clips) {
  Answers answers = oracle.ask(clips);
  if (!answers.complete())
    throw Awaiting(fmt::format(
        "oracle {}: {} of {} answers are awaited; repeat the command once they are there",
        oracle.answerer().oracle, answers.awaited.size(), clips.size()));
  return std::move(answers.probabilities);
}

Answered samples_about(AnswerSource& oracle, const std::vector<Clip>& clips, const Task& task) {
  const auto answers = answers_about(oracle, clips);
  Answered answered;
  int64_t right = 0;
  int64_t with_truth = 0;
  for (size_t i = 0; i < clips.size(); ++i) {
    if (answers[i].empty()) continue;  // unreadable for the teacher: quarantined, not learned from
    Sample sample{clips[i]};
    (oracle.is_teacher() ? sample.teacher : sample.target)
        .assign(answers[i].begin(), answers[i].end());
    right += sample.likely(task) == clips[i].label;
    with_truth += clips[i].label >= 0;
    answered.samples.push_back(std::move(sample));
  }
  if (with_truth > 0)
    answered.accuracy = static_cast<double>(right) / static_cast<double>(with_truth);
  return answered;
}

}  // namespace distal
