#pragma once
// The steps of a round: choose what to ask, ask, measure. Each takes what it needs and returns what
// it made.

#include <chrono>
#include <functional>

#include "distal/base/error.h"
#include "distal/study/pool_scores.h"
#include "distal/study/trial_record.h"
#include "distal/study/two_oracles.h"

namespace distal {

class Random;

/// What `work` returns; adds the seconds it took to `seconds`.
template <class Work>
auto timed(double& seconds, const Work& work) {
  struct Stopwatch {
    double& seconds;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    ~Stopwatch() {
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
  } const watch{seconds};
  return work();
}

/// What a round asks about.
struct Chosen {
  std::vector<Clip>
      clips;  // with ArmOptions::answers_per_clip each clip is followed by its fixed views
  ChoiceCost cost;
  double score_s = 0;
  double select_s = 0;
  std::vector<AskedFor> why;  // of each clip
};

/// Is shown a pool that a student has scored.
using WatchPool = std::function<void(const ScoredPool& pool, const Student& student)>;

/// Chooses within the round's budget; reserves nothing. `student` is called where the arm's
/// strategy or its mixes want one. `trial`: the trial's stream of random numbers.
Chosen choose(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm, const Dataset& dataset,
              const LabeledSet& known, const std::function<Student()>& student, Random trial,
              int64_t round, const WatchPool& watch = {});

/// What a round learns from its answers.
struct Answered {
  std::vector<Sample> samples;  // a sample a clip that could be answered
  double accuracy =
      -1;  // share of answers whose arg max is the hidden truth; -1 where no truth is known
  Tally said;
};

/// Answers are awaited that take longer than a run waits: the trial goes on when the command is
/// repeated.
class Awaiting : public Error {
 public:
  using Error::Error;
};
/// Class probabilities of each clip, in order; empty where a clip cannot be read, or people left it
/// out. `why`: as AnswerSource::ask. `allowance`: of two oracles, what the second may be asked;
/// null: no limit. Throws Awaiting.
Answers answers_about(AnswerSource& oracle, const std::vector<Clip>& clips,
                      const std::vector<AskedFor>& why = {}, Allowance* allowance = nullptr);
/// The same answers as samples to train on: labels, or a teacher's, as who gave each does. Throws
/// Awaiting.
Answered samples_about(AnswerSource& oracle, const std::vector<Clip>& clips,
                       const Task& task = default_task(), const std::vector<AskedFor>& why = {},
                       Allowance* allowance = nullptr);
/// Of answers that are there; clips without one give no sample.
Answered samples_of(const Answers& answers, AnswerSource& oracle, const std::vector<Clip>& clips,
                    const Task& task);
/// Clips in the order in which they were chosen, without a guess of the student.
std::vector<AskedFor> asked_in_order(size_t clips, const std::string& purpose, int64_t round,
                                     const std::string& strategy);

}  // namespace distal
