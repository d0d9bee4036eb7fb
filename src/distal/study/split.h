#pragma once
// How the trials of a study (its cells) share the processor. Small networks lose most of several
// threads to waiting for each other, and far more beside other programs: trials side by side, each
// on few threads, train more steps a second. How much is measured, not guessed.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/study/recipe.h"

namespace distal {

class Progress;

struct ProcessorSplit {
  int64_t jobs = 1;     // trials at once, each a process
  int64_t threads = 1;  // of each
  bool operator==(const ProcessorSplit&) const = default;
  std::string text() const;
};

/// What is worth comparing, without repetitions; the first is one trial on all threads.
std::vector<ProcessorSplit> possible_splits(int64_t trials, int64_t threads);

struct StepTimes {
  int64_t trials = 1;  // that train this network
  std::vector<double>
      step_s;  // a step in each of possible_splits, so many beside each other as it says
};
/// The split whose trials end first; of those within a twentieth of it the first.
ProcessorSplit quickest(const std::vector<ProcessorSplit>& splits,
                        const std::vector<StepTimes>& networks);

/// Times a few training steps of each distinct student on noise, in every possible split, and says
/// what came of it; of more than eight students the eight that most trials train. Where looking at
/// one clip takes one thread `large_s` and longer, that is all: nothing is gained by a split.
/// Leaves the number of threads as it was.
ProcessorSplit measured_split(const Study& study, Progress& progress, double large_s = 0.03);

/// All threads, unless a step on one takes a twentieth less.
int64_t quicker_threads(int64_t all, double step_on_all_s, double step_on_one_s);

/// The threads on which a network trains soonest where nothing trains beside it: all, or one.
/// Measured and left as measured_split does.
int64_t measured_threads(const Learner& learner, const InputOptions& input, double large_s = 0.03);

}  // namespace distal
