#include "distal/serve/place.h"

#include "distal/serve/refusal.h"

namespace distal::serve {

void Places::enter() {
  std::unique_lock lock(mutex_);
  if (free_ == 0 && waiting_ >= most_waiting_) {
    throw Refusal(503, "unavailable",
                  "server: too many people do the same at once; try again in 2 s", 2);
  }
  ++waiting_;
  left_.wait(lock, [&] { return free_ > 0; });
  --waiting_;
  --free_;
}

void Places::leave() {
  const std::lock_guard lock(mutex_);
  ++free_;
  left_.notify_one();
}

int64_t Places::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace distal::serve
