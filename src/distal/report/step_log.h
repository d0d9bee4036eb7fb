#pragma once
// What the steps of a training did, as files that grow while it runs: steps.jsonl for programs and
// an event file for TensorBoard, which shows the folder as a run of its own.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "distal/report/event_log.h"

namespace distal {

inline constexpr const char* kStepsFile = "steps.jsonl";

/// One thread and one process at a time.
class StepLog {
 public:
  /// `folder` is that of the training; it is made by the first record. `training` names it in each
  /// line.
  StepLog(std::string folder, std::string training);

  using Values = std::vector<std::pair<std::string, double>>;
  /// Step `step` (from 1) ends a record that begins behind step `from`. The first record that
  /// begins at 0 replaces the files of an earlier training; a training that goes on from a
  /// checkpoint adds to them the steps that they do not have. A line is {"training", "step",
  /// "time_s", names}; time_s counts from 1970. Values that are not finite are null, and no event.
  /// A record is in the files when this returns: a training saves its checkpoint afterwards, and
  /// may go on from there. Throws Error: they cannot be written.
  void add(int64_t from, int64_t step, const Values& values);

 private:
  void open(bool anew);

  std::string folder_, training_;
  EventLog events_;
  bool opened_ = false;
  int64_t last_ = 0;  // step in the file
};

/// The lines of a steps.jsonl that are whole, from byte `from` on; `from` becomes the byte behind
/// them. Empty where there is no file.
std::vector<std::string> whole_lines(const std::string& path, int64_t& from);

}  // namespace distal
