#pragma once
// The curves of a study while it runs: curve.csv, metrics.jsonl and TensorBoard's events in its
// folder hold every round that the store has, whichever process measured it.

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "distal/report/report.h"
#include "distal/study/trial.h"

namespace distal {

class CurvesSoFar {
 public:
  /// One trial of the study, in the order of the results.
  struct Row {
    std::string key;     // of the store
    Trial trial;         // without rounds
    int64_t rounds = 0;  // that are shown of it
  };
  /// `store` is read by the thread that calls update().
  CurvesSoFar(Store& store, std::string folder, const std::string& budget_unit,
              std::vector<Row> rows, Progress& progress);
  /// Writes what was put off.
  ~CurvesSoFar();
  CurvesSoFar(const CurvesSoFar&) = delete;

  /// To be called after a round. Takes at most a twentieth of the time since it was called first:
  /// where files are long it puts off writing them until a later round, or the end. Several
  /// processes write one folder in turn. Files that cannot be written are told once and left as
  /// they are: the study goes on.
  void update();

 private:
  using Clock = std::chrono::steady_clock;
  void write();
  bool write_in_turn();
  void find_runs();
  void read_rounds();

  Store& store_;
  std::string folder_;
  Progress& progress_;
  CurveFiles files_;
  Results results_;  // trials in the order of rows_, with the rounds that were read
  std::vector<Row> rows_;
  std::map<std::string, int64_t> runs_;  // by key
  Clock::time_point free_from_ = Clock::time_point::min();
  bool put_off_ = false;
  bool failed_ = false;
};

}  // namespace distal
