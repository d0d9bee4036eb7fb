#pragma once
// One process at a time per run: flock on PATH.run-ID.lock. The kernel drops the lock when its process dies, however it
// dies, so there is nothing to clean up. The file holds the process id for the message of who comes second.

#include <cstdint>
#include <string>

namespace distal {

class RunLock {
 public:
  /// Throws Error, with the process that holds it, where the run is at work elsewhere (or twice in this process).
  RunLock(const std::string& store_path, int64_t run, const std::string& name);
  ~RunLock();
  RunLock(const RunLock&) = delete;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace distal
