#include "distal/serve/workers.h"

namespace distal::serve {
namespace {

constexpr size_t kWorkerStack = size_t{64} << 20;

}  // namespace

void Workers::enqueue(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  if (tasks_.size() > idle_ && threads_.size() < most_) start_another();
  changed_.notify_one();
}

// Where the system gives no thread, those that are there do the work.
void Workers::start_another() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kWorkerStack);
  pthread_t thread{};
  if (pthread_create(&thread, &attributes, &Workers::run, this) == 0) threads_.push_back(thread);
  pthread_attr_destroy(&attributes);
}

void* Workers::run(void* workers) {
  static_cast<Workers*>(workers)->work();
  return nullptr;
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    --idle_;
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

void Workers::shutdown() {
  std::vector<pthread_t> threads;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
}

bool Workers::is_crowded() const {
  const std::lock_guard lock(mutex_);
  return closing_ || !tasks_.empty();
}

}  // namespace distal::serve
