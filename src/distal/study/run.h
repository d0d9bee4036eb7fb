#pragma once
// The loop: for every arm and seed, score the pool, select, ask, train a fresh student, measure;
// round after round. Every trial (arm, seed) is a run of the store and continues where it was
// killed.

#include "distal/evaluation/results.h"
#include "distal/study/dataset.h"

namespace distal {

class Progress;

struct RunPlace {
  std::string folder;  // report and models; made when absent
  std::string store_url = "sqlite:distal.db";
  std::string command;  // for the report
  // only the trials of this share are run: seeds in turn where they are a multiple of shares, else
  // trials in turn
  int64_t share = 0;
  int64_t shares = 1;
  bool helps_others = false;  // then those of other shares that nobody is at work on
  std::string shared;   // the folder of whoever started the shares, with what train_shared left
                        // there; empty: folder
  std::string dataset;  // the file of the dataset that whoever started the shares opened; empty: it
                        // is opened here
  bool asked_again = false;  // train_shared has seen to oracle.ask_again
};

/// The clips of a study, as all of its processes see them.
struct OpenedStudy {
  Dataset dataset;
  double read_s = 0;  // wall time of decoding every clip once
};

/// Opens the lists and puts aside what cannot be read; or reads what another process of the study
/// opened. Throws Error as open_dataset does.
OpenedStudy open_study(const Study& study, const RunPlace& place, Progress& progress);

/// Before shares are started: computes the features that networks of others give, and trains the
/// teacher that each of them needs. With oracle.ask_again
/// what was refused before may be asked about again by all of them; what they are refused then is
/// not. Throws as run does.
void train_shared(const Study& study, OpenedStudy& opened, const RunPlace& place,
                  Progress& progress);

/// Runs what is not yet done and returns everything measured; of one of several shares, no trials.
/// A trial that another process is at work on is waited for, and taken over where that process
/// dies. Throws Error; Awaiting, where answers take longer than a run waits; Interrupted after a
/// checkpoint.
Results run(const Study& study, OpenedStudy& opened, const RunPlace& place, Progress& progress);

}  // namespace distal
