#pragma once
// What an experiment measured, as values: arms x seeds x rounds. Written by the run, read by the
// report.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/evaluation/round_result.h"
#include "distal/lists/lists.h"

namespace distal {

struct Trial {  // an arm with a seed
  std::string arm;
  int64_t seed = 0;
  bool control = false;  // the random arm, or the labels-only twin
  std::vector<RoundResult> rounds;
  std::string against;  // the arm it is tested against; empty: the control, or none for a control
  bool taught = false;  // it learned from a teacher, the same for every seed
};

struct Results {
  std::string question, name;
  std::vector<std::string> classes;
  std::string budget_unit = "answers";  // answers or seconds: the x axis
  std::vector<Trial> trials;
  std::vector<Quarantined> quarantined;
  int64_t unlabelled_segments = 0;
  int64_t pool_clips = 0;
  int64_t start_clips = 0;
  int64_t test_clips = 0;
  std::string teacher;  // one line: what answered, and its own test accuracy where known
  double teacher_accuracy = -1;
  double read_s = 0;  // wall time of decoding every clip once, before the first arm
  std::string recipe, revision, machine, command, date;
  std::string start_draw;  // how the initial clips were drawn, in words; empty where an older
                           // version wrote the results
  std::vector<std::string> test_videos;  // per test clip its group (source video or patient),
                                         // resampled together with the seeds
  std::string test_id;  // test_id_of the test clips; empty where an older version wrote the results
  std::vector<std::string> notes;  // warnings the reader of the report must see
};

/// Hash of which clips a model is measured on: key and label of each, in order. 16 hexadecimal
/// digits.
std::string test_id_of(const std::vector<Clip>& clips);

/// JSON and back, without loss (NaN travels as null). The readers throw Error naming the missing or
/// wrong field.
std::string to_json(const Results& results);
Results results_from_json(const std::string& json);
std::string to_json(const Metrics& metrics, const std::vector<std::string>& classes);
Metrics metrics_from_json(const std::string& json);
std::string to_json(const RoundResult& round);
RoundResult round_from_json(const std::string& json);

}  // namespace distal
