#pragma once
// What was measured and what it shows: means with intervals beside their bars, paired tests over
// seeds with Holm's correction.

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "distal/evaluation/statistics.h"

namespace distal::reproduce {

/// One trained network.
struct Row {
  std::string arm;
  std::string settings;  // hash of everything that decides the numbers, but for the seed
  uint64_t seed = 0;
  int64_t answers = 0;   // of the teacher, those about real images among them; 0: labels alone
  double accuracy = 0;   // per cent, last step
  int64_t forwards = 0;  // mixes the student scored to choose these answers, all rounds
  double seconds = 0;    // selection, answers and training of this row
};
nlohmann::ordered_json to_json(const Row& row);
Row row_from(const nlohmann::json& json);

/// An arm at a number of answers, over its seeds.
struct Cell {
  std::string arm;
  int64_t answers = 0;
  std::vector<uint64_t> seeds;
  std::vector<double> accuracy;  // one per seed
  int64_t forwards = 0;          // mean
  Summary95 summary;
  std::optional<double> bar;  // accuracy to reach
  bool met() const { return !bar || summary.mean >= *bar; }
};
/// Two cells at the seeds they share.
struct Comparison {
  std::string a, b;
  PairedTest test;
  double p_holm = 1;
  std::string sentence;
};
struct Evidence {
  std::vector<Cell> cells;              // by arm in the order of `kArms`, then by answers
  std::vector<Comparison> comparisons;  // Holm over all of them
};

extern const std::vector<std::string> kArms;

/// With `bars`, cells are held against the project's bars at N = 2,000.
Evidence evidence(const std::vector<Row>& rows, bool bars);
std::string text(const Evidence& evidence);
nlohmann::ordered_json to_json(const Evidence& evidence);

}  // namespace distal::reproduce
