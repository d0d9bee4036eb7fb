#include "distal/data/prefetch.h"

namespace distal {

Prefetch::Prefetch(std::function<Batch(int64_t)> make, int64_t first, int64_t end, int64_t threads)
    : make_(std::move(make)), end_(end), depth_(threads + 1), next_(first), begun_(first) {
  for (int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Prefetch::~Prefetch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

void Prefetch::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || begun_ >= end_ || begun_ < next_ + depth_; });
    if (stop_ || begun_ >= end_) return;
    const int64_t step = begun_++;
    lock.unlock();
    Made result = made(step);
    lock.lock();
    ready_.emplace(step, std::move(result));
    changed_.notify_all();
  }
}

Prefetch::Made Prefetch::made(int64_t step) const {
  try {
    return {make_(step), nullptr};
  } catch (...) {
    return {{}, std::current_exception()};
  }
}

Batch Prefetch::next() {
  Made result;
  if (threads_.empty()) {
    result = made(next_++);
  } else {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_.contains(next_); });
    result = std::move(ready_.extract(next_++).mapped());
    changed_.notify_all();
  }
  if (result.error) std::rethrow_exception(result.error);
  return std::move(result.batch);
}

}  // namespace distal
