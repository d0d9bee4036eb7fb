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

// What the student takes the chosen rows for: class probabilities a row; nothing without a student.
std::vector<std::vector<double>> guesses_about(const ScoredPool& pool, const Student& student,
                                               const torch::Tensor& rows) {
  std::vector<std::vector<double>> guesses;
  if (!student.net || !pool.scores.logits.defined()) return guesses;
  const torch::Tensor probabilities =
      pool.scores.task->probabilities(pool.scores.logits.index_select(0, rows).to(torch::kFloat64))
          .contiguous();
  const int64_t classes = probabilities.size(1);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const double* row = probabilities.const_data_ptr<double>() + i * classes;
    guesses.emplace_back(row, row + classes);
  }
  return guesses;
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
              int64_t round) {
  Chosen chosen;
  const Random draw = trial.stream("select", round);
  std::vector<std::vector<double>> guesses;
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
    guesses = guesses_about(pool, wanted, rows);
  }
  chosen.clips = with_views(chosen.clips, arm.answers_per_clip);
  chosen.why = asked_in_order(chosen.clips.size(), "pool", round, arm.criterion());
  // A clip's views are asked of teachers alone, whom no guess helps.
  for (size_t i = 0; guesses.size() == chosen.why.size() && i < guesses.size(); ++i)
    chosen.why[i].guess = guesses[i];
  return chosen;
}

std::vector<AskedFor> asked_in_order(size_t clips, const std::string& purpose, int64_t round,
                                     const std::string& strategy) {
  std::vector<AskedFor> why;
  for (size_t i = 0; i < clips; ++i)
    why.push_back({purpose, round, static_cast<int64_t>(i), strategy, {}});
  return why;
}

std::vector<std::vector<double>> answers_about(AnswerSource& oracle, const std::vector<Clip>& clips,
                                               const std::vector<AskedFor>& why) {
  Answers answers = oracle.ask(refs_of(clips), why);
  if (!answers.complete())
    throw Awaiting(fmt::format(
        "oracle {}: {} of {} answers are awaited; repeat the command once they are there",
        oracle.answerer().oracle, answers.awaited.size(), clips.size()));
  return std::move(answers.probabilities);
}

Answered samples_about(AnswerSource& oracle, const std::vector<Clip>& clips, const Task& task,
                       const std::vector<AskedFor>& why) {
  const auto answers = answers_about(oracle, clips, why);
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
