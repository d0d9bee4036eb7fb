#pragma once
// The loop: for every arm and seed, score the pool, select, ask, train a fresh student, measure; round after round.
// Every cell (arm, seed) is a run of the store and continues where it was killed.

#include "distal/base/progress.h"
#include "distal/evaluation/results.h"
#include "distal/store/store.h"
#include "distal/study/recipe.h"

namespace distal {

struct RunPlace {
  std::string folder;     // report and models; made when absent
  std::string store_url = "sqlite:distal.db";
  std::string command;    // for the report
  int64_t share = 0, shares = 1;  // only the cells of this share are run: seeds in turn where they are a multiple of shares, else cells in turn
  std::string shared;     // the folder of whoever started the shares, with what train_shared left there; empty: folder
  bool asked_again = false;  // train_shared has seen to oracle.ask_again
};

/// Before shares are started: makes what each of them needs: generated videos, probes, the recipe's own teacher. With oracle.ask_again what was
/// refused before may be asked about again by all of them; what they are refused then is not. Throws as run does.
void train_shared(const Experiment& experiment, const RunPlace& place, Progress& progress);

/// Runs what is not yet done and returns everything measured. A cell that another process is at work on is waited for. Throws Error;
/// Interrupted after a checkpoint.
Results run(const Experiment& experiment, const RunPlace& place, Progress& progress);

/// What a run would do, from the recipe and the lists alone plus a few timed steps: nothing is asked or stored.
struct Plan {
  int64_t cells = 0, trainings = 0, answers = 0;
  double pool_s = 0, seconds_asked = 0, price = 0, minutes = 0;
  int64_t cache_bytes = 0;
  std::string text;       // for people
};
Plan plan(const Experiment& experiment, Progress& progress);

/// Host, processor, threads: one line.
std::string machine_line();

}  // namespace distal
