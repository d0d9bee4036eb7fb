#pragma once
// The folder of a study at an MLflow server. The files of the folder are the truth: rounds stand in
// metrics.jsonl, steps below training/, and FOLDER/mlflow.json says what of them the server has. So
// nothing is lost while a server is away, and whatever it lacks is sent when it is back, or at the
// next start of the command.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "distal/tracking/mlflow_client.h"

namespace distal {

class Progress;

struct TrackedTrial {
  std::string arm;
  int64_t seed = 0;
  std::string options;             // YAML, every option
  std::vector<std::string> files;  // its artefacts where they exist: the student
};

struct TrackedStudy {
  std::string folder, name, question, revision;
  std::string options;  // YAML; its sections arms and sweep are left out
  std::vector<TrackedTrial> trials;
};

/// YAML as parameters: `student.training.steps` -> `40`. A list of plain values is one parameter.
/// Sections named in `without` are left out at the top.
MlflowPairs flat_options(const std::string& yaml, const std::vector<std::string>& without = {});

/// Brings the server up to date with the folder. One process and thread at a time.
class MlflowSync {
 public:
  MlflowSync(MlflowSettings settings, TrackedStudy study);
  ~MlflowSync();
  /// Sends what the server lacks. A run of MLflow for the study, and one below it for each trial
  /// that has begun. `finished`: also the artefacts, and the state FINISHED. Throws
  /// MlflowUnreachable, MlflowRefused, Error, Interrupted; what was sent is remembered.
  void send(bool finished);
  /// What the user must know of the last send(); empty: nothing. Once each.
  std::string take_remark();
  /// How often something was sent and remembered.
  int64_t sent() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A thread that sends every two seconds. `progress` hears once that the server is away, and once
/// that it is back.
class MlflowTracker {
 public:
  MlflowTracker(MlflowSettings settings, TrackedStudy study, Progress& progress);
  /// Ends without sending: the next start does.
  ~MlflowTracker();
  /// Ends the thread and sends the rest, in several tries as long as each sends something. Throws
  /// Interrupted alone.
  void finish();

 private:
  void work();
  bool send(bool finished);
  void stop();

  MlflowSync sync_;
  std::string shown_;
  Progress& progress_;
  bool away_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;
};

/// Of the environment; null: no server is named, or its address is none, which `progress` hears.
std::unique_ptr<MlflowTracker> mlflow_tracker(TrackedStudy study, Progress& progress);

}  // namespace distal
