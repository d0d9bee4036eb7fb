#pragma once
// Batches made ahead by threads and handed out in the order of their steps. `make` is called once
// per step, from any thread; what it throws comes out of the `next` of its step. One thread calls
// `next`.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "distal/data/batches.h"

namespace distal {

class Prefetch {
 public:
  /// Steps first .. end - 1. threads 0: `next` makes its batch itself.
  Prefetch(std::function<Batch(int64_t step)> make, int64_t first, int64_t end, int64_t threads);
  ~Prefetch();
  Prefetch(const Prefetch&) = delete;
  bool done() const { return next_ >= end_; }
  Batch next();

 private:
  struct Made {
    Batch batch;
    std::exception_ptr error;
  };
  void work();
  Made made(int64_t step) const;

  const std::function<Batch(int64_t)> make_;
  const int64_t end_, depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, Made> ready_;
  int64_t next_, begun_;  // the next step handed out, and the next one nobody works on
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace distal
