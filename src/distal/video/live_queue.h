#pragma once
// What one thread reads of a stream and another takes, in a queue of bounded length.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>

#include "distal/video/live.h"

namespace distal {

/// Thread-safe.
class LiveQueue {
 public:
  /// `most`: frames. `drops`: a full queue loses its oldest frame; else push() waits.
  LiveQueue(int64_t most, bool drops) : most_(most), drops_(drops) {}

  /// A loss takes no frame's place. Losses with no frame between them become one, so that their
  /// number is bounded as well.
  void push(StreamItem item);
  /// Nothing comes after what is there. `error` may be null; next() throws it at last.
  void end(std::exception_ptr error);
  /// Whoever pushes no longer waits; what it pushes is left out.
  void stop();
  /// Waits. Nothing: the end. Throws what end() was given, Interrupted.
  std::optional<StreamItem> next();
  int64_t dropped() const { return dropped_; }

 private:
  void drop_oldest();

  const int64_t most_;
  const bool drops_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StreamItem> items_;
  int64_t frames_ = 0;  // of items_
  bool ended_ = false;
  bool stopped_ = false;
  std::exception_ptr error_;
  std::atomic<int64_t> dropped_ = 0;
};

}  // namespace distal
