#pragma once
// What an experiment measured, as values: arms x seeds x rounds. Written by the run, read by the
// report.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "distal/evaluation/round_result.h"
#include "distal/lists/lists.h"

namespace distal {

/// A clip that was asked about, and what was answered.
struct AskedClip {
  Clip clip;            // label filled where the lists hold it
  int64_t answer = -1;  // class index; -1: none, or not known
  std::string by;       // who answered: a person, an oracle, or "list" where a list held the label
};
/// What a round of a trial asked about, in the order of the strategy.
struct AskedRound {
  int64_t round = 0;
  int64_t clips = 0;             // all of them
  std::vector<AskedClip> shown;  // the first of them
};

struct Trial {  // an arm with a seed
  std::string arm;
  int64_t seed = 0;
  bool control = false;  // the random arm, or the labels-only twin
  std::vector<RoundResult> rounds;
  std::string against;  // the arm it is tested against; empty: the control, or none for a control
  bool taught = false;  // it learned from a teacher, the same for every seed
  std::vector<AskedRound> asked = {};  // of the first seed of an arm; empty where it is not known
};

struct AskedOracle {
  std::string role;  // first, then
  std::string line;  // who it is
  double price = 0;  // of an answer
  std::string when;  // when it is asked, in words; empty: always
};

/// What a person answered in a study, and whether the same again when asked again.
struct PersonResult {
  std::string name;
  int64_t answers = 0;
  double minutes = 0;
  int64_t repeats = 0;  // clips that the person answered about twice
  int64_t same = 0;     // of these, alike both times
  double kappa = std::numeric_limits<double>::quiet_NaN();  // Cohen's; NaN: unknown
};

struct Results {
  std::string question, name;
  std::vector<std::string> classes;
  std::string budget_unit = "answers";  // answers, seconds or minutes: the x axis
  std::vector<Trial> trials;
  std::vector<Quarantined> quarantined;
  int64_t unlabelled_segments = 0;
  int64_t pool_clips = 0;
  int64_t start_clips = 0;
  int64_t test_clips = 0;
  std::string teacher;           // one line: what answered, and its own test accuracy where known
  double teacher_accuracy = -1;  // -1: unknown
  std::vector<AskedOracle> oracles;  // of a study that asks two; else empty
  double read_s = 0;                 // wall time of decoding every clip once, before the first arm
  std::string recipe, revision, machine, command, date;
  std::string start_draw;  // how the initial clips were drawn, in words; empty where an older
                           // version wrote the results
  std::vector<std::string> test_groups;  // per test clip its group (source video or patient),
                                         // resampled together with the seeds
  std::vector<int64_t> test_classes;     // per test clip its class; empty where an older version
                                         // wrote the results
  int64_t answered_twice = 0;            // clips that two people or more answered about
  std::string test_id;  // test_id_of the test clips; empty where an older version wrote the results
  std::vector<PersonResult> people;  // who answered, most answers first; empty: nobody
  std::vector<std::string> notes;    // warnings the reader of the report must see
};

/// What a run had spent after a round, in a budget_unit; NaN where nobody knows.
double spent_of(const RoundResult& round, const std::string& budget_unit);

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
