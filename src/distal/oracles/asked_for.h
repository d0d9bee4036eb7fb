#pragma once
// Why a clip is asked about.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

/// Why a clip is asked about: for persons who answer, and for who reads it later. It changes no
/// answer.
struct AskedFor {
  std::string purpose = "pool";  // start, pool, held_out
  int64_t round = 0;
  int64_t position = 0;  // in the strategy's order, from 0
  std::string strategy;
  std::vector<double> guess;  // [K] class probabilities of the student; empty: it has none
};

}  // namespace distal
