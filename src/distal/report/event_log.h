#pragma once
// A TensorBoard event file that grows. TensorBoard keeps a file open and reads what is appended to
// it, so the file is not replaced while a study runs. What it holds is read back from it: a scalar
// stands in it once, whichever process wrote it, and a record that a killed process cut off is
// removed. One process at a time (the caller holds a lock).

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "distal/report/tensorboard.h"

namespace distal {

class EventLog {
 public:
  explicit EventLog(std::string path) : path_(std::move(path)) {}

  /// Appends the scalars that are not in the file yet, in one write, stamped `wall_time_s`. Makes
  /// the file where there is none, or one of another kind. Throws Error: it cannot be written, disk
  /// full.
  void add(const std::vector<Scalar>& scalars, double wall_time_s);

 private:
  class File;
  void read_on(const File& file);

  std::string path_;
  // What was read of the file so far.
  uint64_t inode_ = 0;
  int64_t read_to_ = 0;
  std::unordered_set<std::string> held_;  // scalar_content of each
};

}  // namespace distal
