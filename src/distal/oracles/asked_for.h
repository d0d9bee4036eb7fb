#pragma once
// Why a clip is asked about, and what of people's time that may take.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distal/base/nouns.h"

namespace distal {

/// How long people may answer about the clips of a round.
struct TimeBudget {
  std::string name;    // of trial and round; empty: as long as they want
  double seconds = 0;  // of people's time
};

/// A clip that was answered, near another in the student's embedding.
struct AnsweredNeighbour {
  Clip clip;
  int64_t label = -1;   // what was answered
  double distance = 0;  // Euclidean
};

/// Why a clip is asked about: for persons who answer, and for who reads it later. It changes no
/// answer.
struct AskedFor {
  std::string purpose = "pool";  // start, pool, held_out
  int64_t round = 0;
  int64_t position = 0;  // in the strategy's order, from 0
  std::string strategy;
  std::vector<double> guess;         // [K] class probabilities of the student; empty: it has none
  std::optional<double> score = {};  // the strategy's; nothing: it scores no clips
  std::vector<AnsweredNeighbour> neighbours = {};  // the nearest first
  TimeBudget budget = {};
  std::vector<double> first_said = {};  // [K] by the first of two oracles; empty: there is one
};

/// Seconds of people's time for what is asked about a clip.
struct PersonTime {
  bool asked = false;  // somebody has asked already
  double taken_s = 0;  // by the answers so far
  double left_s = 0;   // not asked: expected. Asked: at most
};

}  // namespace distal
