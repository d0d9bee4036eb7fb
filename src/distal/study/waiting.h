#pragma once
// What a trial does while people answer: it goes on with a stated share of a round's answers, and
// ranks again what is still open.

#include <functional>

#include "distal/study/trial.h"

namespace distal {

class Random;

/// What a round asks about.
struct AskedInRound {
  int64_t round = 0;
  std::vector<Clip> clips;
  std::vector<AskedFor> why;  // of each clip
};

/// Whether the trial learns from what the first seed chose.
bool follows_first_seed(const SharedOptions& shared, int64_t seed);

/// Where people have answered the stated share of the clips (OracleTraits::share), takes the others
/// out of `asked`: they lose their reservation, and what was asked about them is withdrawn. A trial
/// that follows the first seed decides nothing: it takes what that one goes on with.
void go_on_with_answered(const TrialSetup& setup, AskedInRound& asked, TrialRecord& record);

/// A student trained on samples, with its name in progress.
using TrainOn = std::function<Student(const std::vector<Sample>& samples, const std::string& name)>;

/// What a round learns from its answers; `asked` loses what it goes on without. Throws Awaiting. If
/// at least OracleTraits::rank_again clips were answered since the last ranking, and a training
/// takes less time than people need for the rest, a student that has learned from `known` and from
/// them scores and orders before that what is still open. The answers can still be taken back. No
/// result of the trial depends on it. `random`: the trial's.
Answered learn_from(const TrialSetup& setup, const Arm& arm, AskedInRound& asked,
                    const LabeledSet& known, const TrainOn& train, Random random,
                    TrialRecord& record, Allowance& allowance);

}  // namespace distal
