#pragma once
// What was used last, up to a weight.

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace distal::serve {

/// Thread-safe. Forgets what was longest not asked for where the sum of weights exceeds `most`.
template <class Value>
class Recent {
 public:
  explicit Recent(int64_t most) : most_(most) {}

  std::optional<Value> find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(key);
    if (found == rows_.end()) return std::nullopt;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->value;
  }

  void put(const std::string& key, Value value, int64_t weight) {
    const std::lock_guard lock(mutex_);
    if (const auto found = rows_.find(key); found != rows_.end()) drop(found->second);
    order_.push_front({key, std::move(value), weight});
    rows_[key] = order_.begin();
    held_ += weight;
    while (held_ > most_ && order_.size() > 1) drop(std::prev(order_.end()));
  }

 private:
  struct Row {
    std::string key;
    Value value;
    int64_t weight = 0;
  };

  void drop(typename std::list<Row>::iterator row) {
    held_ -= row->weight;
    rows_.erase(row->key);
    order_.erase(row);
  }

  int64_t most_;
  int64_t held_ = 0;
  std::mutex mutex_;
  std::list<Row> order_;  // the newest first
  std::map<std::string, typename std::list<Row>::iterator> rows_;
};

}  // namespace distal::serve
