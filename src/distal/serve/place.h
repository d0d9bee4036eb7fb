#pragma once
// A place among the few that work at once.

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <semaphore>

namespace distal::serve {

/// Waits for a place, and has it as long as this lives.
class Place {
 public:
  explicit Place(std::counting_semaphore<>& places) : places_(places) { places_.acquire(); }
  ~Place() { places_.release(); }
  Place(const Place&) = delete;

 private:
  std::counting_semaphore<>& places_;
};

/// Places before which only a few may wait, so that a flood does not hold every thread.
/// Thread-safe.
class Places {
 public:
  Places(int64_t free, int64_t most_waiting) : free_(free), most_waiting_(most_waiting) {}

  /// Waits for a place. Throws Refusal: 503, as many as may wait do.
  void enter();
  void leave();
  int64_t waiting() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable left_;
  int64_t free_;
  int64_t waiting_ = 0;
  const int64_t most_waiting_;
};

}  // namespace distal::serve
