#pragma once
// One trial: an arm with a seed, its rounds in order. It continues after its last stored round.

#include <functional>

#include "distal/study/round.h"

namespace distal {

class Progress;
class Random;

/// What the trials of one process have in common.
struct TrialSetup {
  const Study& study;
  const Dataset& dataset;
  Trainer& trainer;
  AnswerSource& oracle;
  std::string folder;    // where the students of the first seed are kept; empty: none is
  bool collects = true;  // the folder is where the students shall stand, whoever trained them;
                         // false in one of several jobs
  std::function<Model()> teacher;  // the network that answers, for arms that have it at hand in
                                   // training (ArmOptions::matching)
  Progress& progress;
  std::function<void()> measured = {};  // called after each round that was stored; may be empty
  std::string maps;  // folder where embeddings of the pool are kept for a map; empty: none are
};

struct FinishedTrial {
  int64_t run = 0;  // of the store
  Trial trial;
};

/// Runs what is not yet done of a trial that this process has begun or claimed, and returns all of
/// its rounds; gives it back to the store. Throws Error; Awaiting; Interrupted, with everything
/// stored.
FinishedTrial run_trial(const TrialSetup& setup, Store& store, const Store::Run& begun,
                        const Arm& arm);

/// What the store's row of a trial says.
Store::Trial trial_row(const TrialSetup& setup, const Arm& arm, int64_t seed);

/// What the results say of a trial, without its rounds.
Trial trial_of(const Study& study, const Arm& arm, int64_t seed);

/// Begins or continues a trial. Throws InUse: another process is at work on it.
Store::Run begin_trial(const TrialSetup& setup, Store& store, const Arm& arm, int64_t seed);

/// What a trial starts from.
struct Start {
  LabeledSet known;
  double ask_s = 0;  // wall time of asking
  Tally said = {};
};
/// The initial clips, their labels known, reserved as round 0; the same for every arm of a seed
/// with the same start, start_draw and pool_size, the fewer among the more where start alone
/// differs and features do not decide. With ask_start the teacher answers about them too, of two
/// oracles the first. Where people answer and no list of initial clips is given, they are asked
/// about these first: their labels stand in no list.
Start start_trial(const TrialSetup& setup, const Arm& begun, TrialRecord& record, Random random);

/// What a round asks about, chosen and reserved. A round that was reserved before is not chosen
/// again. `random`: the trial's. Throws Awaiting where the first seed chooses for all and has not
/// come to this round.
Chosen choose_once(const TrialSetup& setup, const Arm& choosing, const LabeledSet& known,
                   int64_t round, const std::function<Student()>& student, Random random,
                   TrialRecord& record);

/// The loop over rounds of a trial that was begun.
Trial run_rounds(const TrialSetup& setup, const Arm& arm, TrialRecord& record);

}  // namespace distal
