#include "distal/video/live_queue.h"

#include <algorithm>
#include <chrono>

#include "distal/base/interrupted.h"

namespace distal {
namespace {

constexpr auto kLookAround = std::chrono::milliseconds(100);  // how soon a signal is noticed

}  // namespace

void LiveQueue::push(StreamItem item) {
  std::unique_lock lock(mutex_);
  const bool frame = item.frame.defined();
  while (frame && !drops_ && frames_ >= most_ && !stopped_ && !interrupted())
    changed_.wait_for(lock, kLookAround);
  if (stopped_) return;
  if (frame && drops_ && frames_ >= most_) drop_oldest();
  if (!frame && !items_.empty() && !items_.back().frame.defined()) return;
  frames_ += frame;
  items_.push_back(std::move(item));
  changed_.notify_all();
}

void LiveQueue::drop_oldest() {
  const auto is_frame = [](const StreamItem& item) { return item.frame.defined(); };
  const auto after = items_.erase(std::find_if(items_.begin(), items_.end(), is_frame));
  --frames_;
  ++dropped_;
  const bool between = after != items_.begin() && after != items_.end();
  if (between && !is_frame(*after) && !is_frame(*std::prev(after))) items_.erase(after);
}

void LiveQueue::end(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
  ended_ = true;
  changed_.notify_all();
}

void LiveQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

std::optional<StreamItem> LiveQueue::next() {
  std::unique_lock lock(mutex_);
  while (items_.empty() && !ended_) {
    check_interrupted();
    changed_.wait_for(lock, kLookAround);
  }
  check_interrupted();
  if (items_.empty()) {
    if (error_) std::rethrow_exception(error_);
    return std::nullopt;
  }
  StreamItem item = std::move(items_.front());
  items_.pop_front();
  frames_ -= item.frame.defined();
  changed_.notify_all();
  return item;
}

}  // namespace distal
