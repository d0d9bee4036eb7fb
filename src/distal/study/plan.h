#pragma once
// What a run would do, how long and at what cost. The loop of every trial runs once, with training,
// answers and store simulated (study/simulation.h): nothing is trained, asked or stored. Times come
// from a few timed steps of each distinct network.

#include <string>

#include "distal/learn/pace.h"
#include "distal/study/dataset.h"

namespace distal {

class Progress;

struct Plan {
  int64_t cells = 0;
  int64_t trainings = 0;
  // at most; of two oracles: of the first
  int64_t answers = 0;
  int64_t then_answers = 0;  // of the second
  // at most
  double seconds_asked = 0;
  double people_minutes = 0;  // of those who answer
  double price = 0;
  double pool_s = 0;
  double minutes = 0;
  int64_t cache_bytes = 0;
  std::string text;  // for people
};

/// Throws Error as a run does before it trains. A signal ends it at once.
Plan plan(const Study& study, Progress& progress);
/// Of paces that are given; each distinct network's is asked for once, however many arms have it.
Plan plan(const Study& study, Progress& progress, const PaceOf& pace_of);
/// The same where the videos are opened already, be it with another input.
Plan plan(const Study& study, Dataset& dataset, const PaceOf& pace_of, Progress& progress);

}  // namespace distal
