#pragma once
// The loop: for every arm and seed, score the pool, select, ask, train a fresh student, measure; round after round.
// Every trial (arm, seed) is a run of the store and continues where it was killed.

#include "distal/base/progress.h"
#include "distal/evaluation/results.h"
#include "distal/study/recipe.h"

namespace distal {

struct RunPlace {
  std::string folder;     // report and models; made when absent
  std::string store_url = "sqlite:distal.db";
  std::string command;    // for the report
  int64_t share = 0, shares = 1;  // only the trials of this share are run: seeds in turn where they are a multiple of shares, else trials in turn
  std::string shared;     // the folder of whoever started the shares, with what train_shared left there; empty: folder
  bool asked_again = false;  // train_shared has seen to oracle.ask_again
};

/// Before shares are started: makes what each of them needs: generated videos, probes, the recipe's own teacher. With oracle.ask_again what was
/// refused before may be asked about again by all of them; what they are refused then is not. Throws as run does.
void train_shared(const Study& study, const RunPlace& place, Progress& progress);

/// Runs what is not yet done and returns everything measured. A trial that another process is at work on is waited for. Throws Error;
/// Interrupted after a checkpoint.
Results run(const Study& study, const RunPlace& place, Progress& progress);

}  // namespace distal
