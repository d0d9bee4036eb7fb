#pragma once
// How often somebody tried in vain, and how long he must wait.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace distal::serve {

/// Thread-safe. After `free` failures in a row each further one doubles the wait, from one second
/// to `longest_s`. A success, or an hour without a failure, forgets them.
class Attempts {
 public:
  Attempts(int64_t free, int64_t longest_s) : free_(free), longest_s_(longest_s) {}

  /// Whole seconds that `who` must still wait; 0: none.
  int64_t wait_s(const std::string& who, int64_t now_ms) const;
  void failed(const std::string& who, int64_t now_ms);
  void succeeded(const std::string& who);

 private:
  struct Failures {
    int64_t count = 0;
    int64_t last_ms = 0;
    int64_t until_ms = 0;
  };
  void forget_old(int64_t now_ms);

  int64_t free_;
  int64_t longest_s_;
  mutable std::mutex mutex_;
  std::map<std::string, Failures> failures_;
};

}  // namespace distal::serve
