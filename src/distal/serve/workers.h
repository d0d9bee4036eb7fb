#pragma once
// The threads that serve connections: as many as there are connections, up to a limit.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include <pthread.h>

#include <httplib.h>

namespace distal::serve {

/// Stacks are large, since cpp-httplib matches headers with std::regex, which recurses for each
/// letter; only what is touched costs memory.
class Workers final : public httplib::TaskQueue {
 public:
  explicit Workers(size_t most) : most_(most) {}
  ~Workers() override { shutdown(); }

  void enqueue(std::function<void()> task) override;
  /// Waits for all tasks.
  void shutdown() override;
  /// Whether somebody waits for a thread: who is idle then leaves.
  bool is_crowded() const;

 private:
  static void* run(void* workers);
  void work();
  void start_another();

  size_t most_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<pthread_t> threads_;
  size_t idle_ = 0;
  bool closing_ = false;
};

}  // namespace distal::serve
