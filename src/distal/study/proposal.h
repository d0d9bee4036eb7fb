#pragma once
// A first recipe for a folder with train.csv and test.csv, or with pool.csv and held_out.csv that
// people shall label: one that takes minutes on this machine, and says what the whole comparison
// would take.

#include "distal/study/plan.h"

namespace distal {

class Progress;

struct Proposal {
  std::string text;          // the recipe, YAML with comments
  double minutes = 0;        // about how long it takes here
  double whole_minutes = 0;  // the whole comparison, whose values stand in the comments; the same
                             // where that is what is proposed
  Plan plan;                 // of the recipe
};

struct ProposalOptions {
  std::string folder;  // absolute, of the lists
  std::string init;  // ImageNet weights of mobilenet_v2; empty: a small network from random weights
  std::string name = "new";  // of the study
  double most_minutes =
      10;  // the largest comparison within them is proposed; the smallest where none is
  std::vector<std::string> classes;  // that people shall answer with: the lists are pool.csv and
                                     // held_out.csv, without labels; empty: train.csv and test.csv
};

/// Opens the videos; a list whose videos are much longer than what eight frames show, or whose rows
/// are parts of much longer videos, gets segments. Throws Error: no lists, too few clips for its
/// classes.
Proposal propose(const ProposalOptions& options, Progress& progress,
                 const PaceOf& pace_of = quickest_pace);

}  // namespace distal
