#include "distal/serve/attempts.h"

#include <algorithm>

namespace distal::serve {
namespace {

constexpr int64_t kForget_ms = 3600 * 1000;
constexpr size_t kMostKnown = 10'000;

}  // namespace

int64_t Attempts::wait_s(const std::string& who, int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(who);
  if (found == failures_.end()) return 0;
  return std::max<int64_t>(0, (found->second.until_ms - now_ms + 999) / 1000);
}

void Attempts::failed(const std::string& who, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  forget_old(now_ms);
  Failures& all = failures_[who];
  ++all.count;
  all.last_ms = now_ms;
  if (all.count < free_) return;
  const int64_t doublings = std::min<int64_t>(all.count - free_, 30);
  all.until_ms = now_ms + std::min(longest_s_, int64_t{1} << doublings) * 1000;
}

void Attempts::succeeded(const std::string& who) {
  const std::lock_guard lock(mutex_);
  failures_.erase(who);
}

void Attempts::forget_old(int64_t now_ms) {
  std::erase_if(failures_,
                [&](const auto& row) { return row.second.last_ms + kForget_ms < now_ms; });
  while (failures_.size() > kMostKnown) {
    failures_.erase(std::ranges::min_element(failures_, {},
                                             [](const auto& row) { return row.second.last_ms; }));
  }
}

}  // namespace distal::serve
