#pragma once
// Things that serve one thread at a time, for many threads.

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace distal::serve {

/// Thread-safe. Lends what was given back last, or makes another one.
template <class Thing>
class Pool {
 public:
  explicit Pool(std::function<std::unique_ptr<Thing>()> make) : make_(std::move(make)) {}

  /// Gives the thing back at its end.
  class Loan {
   public:
    Loan(Pool& pool, std::unique_ptr<Thing> thing) : pool_(pool), thing_(std::move(thing)) {}
    ~Loan() { pool_.take_back(std::move(thing_)); }
    Loan(const Loan&) = delete;
    Thing* operator->() const { return thing_.get(); }
    Thing& operator*() const { return *thing_; }

   private:
    Pool& pool_;
    std::unique_ptr<Thing> thing_;
  };

  Loan borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto thing = std::move(idle_.back());
        idle_.pop_back();
        return Loan(*this, std::move(thing));
      }
    }
    return Loan(*this, make_());
  }

 private:
  static constexpr size_t kMostIdle = 16;

  void take_back(std::unique_ptr<Thing> thing) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(thing));
  }

  std::function<std::unique_ptr<Thing>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Thing>> idle_;
};

}  // namespace distal::serve
