#pragma once
// What an experiment measured, as values: arms x seeds x rounds. Written by the run, read by the report.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/lists/lists.h"

namespace distal {

struct WorstClip {
  Clip clip;                   // label filled: the truth
  int64_t predicted = 0;
  double probability_of_truth = 0;
};

struct Metrics {
  double accuracy = 0;         // top-1 over test clips
  double video_accuracy = 0;   // top-1 of the mean probability over each video's clips
  double mean_class_accuracy = 0;
  double nll = 0, ece = 0;     // negative log likelihood; expected calibration error, 15 equal bins of confidence
  std::vector<std::vector<int64_t>> confusion;  // [truth][predicted], K x K
  struct Bin { int64_t clips = 0; double confidence = 0, accuracy = 0; };
  std::vector<Bin> calibration; // 15 bins
  std::vector<uint8_t> correct; // per test clip, in the test list's order
  std::vector<WorstClip> worst; // least probability of the truth first, at most 12
};

struct RoundResult {
  int64_t round = 0;
  int64_t answers = 0;         // bought by this run so far, the initial ones included
  double seconds = 0, price = 0;  // of video watched; of money
  double select_s = 0, score_s = 0, ask_s = 0, train_s = 0, evaluate_s = 0;  // wall time by stage
  int64_t forwards = 0;        // mixes that the student looked at to choose this round's: the hidden cost
  double answer_accuracy = -1; // share of this round's answers whose arg max is the hidden truth; -1 where unknown
  Metrics metrics;
};

struct Cell {                  // one run: an arm with a seed
  std::string arm;
  int64_t seed = 0;
  bool control = false;        // the random arm, or the labels-only twin
  std::vector<RoundResult> rounds;
  std::string against;         // the arm it is tested against; empty: the control, or none for a control
  bool taught = false;         // it learned from a teacher, the same for every seed
};

struct Results {
  std::string question, name;
  std::vector<std::string> classes;
  std::string budget_unit = "answers";   // answers or seconds: the x axis
  std::vector<Cell> cells;
  std::vector<Quarantined> quarantined;
  int64_t unlabelled_segments = 0, pool_clips = 0, start_clips = 0, test_clips = 0;
  std::string teacher;                   // one line: what answered, and its own test accuracy where known
  double teacher_accuracy = -1;
  double read_s = 0;                     // wall time of decoding every clip once, before the first arm
  std::string recipe, revision, machine, command, date;
  std::string start_draw;                // how the initial clips were drawn, in words; empty where an older version wrote the results
  std::vector<std::string> test_videos;  // per test clip its group (source video or patient), resampled together with the seeds
  std::string test_id;                   // test_id_of the test clips; empty where an older version wrote the results
  std::vector<std::string> notes;        // warnings the reader of the report must see
};

/// Hash of which clips a model is measured on: key and label of each, in order. 16 hexadecimal digits.
std::string test_id_of(const std::vector<Clip>& clips);

/// JSON and back, without loss (NaN travels as null). The readers throw Error naming the missing or wrong field.
std::string to_json(const Results& results);
Results results_from_json(const std::string& json);
std::string to_json(const Metrics& metrics, const std::vector<std::string>& classes);
Metrics metrics_from_json(const std::string& json);
std::string to_json(const RoundResult& round);
RoundResult round_from_json(const std::string& json);

}  // namespace distal
