#include "distal/lists/quarantine.h"

#include "distal/base/error.h"

namespace distal {

void Quarantine::require_absent(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  if (const auto at = rows_.find(path); at != rows_.end()) throw Error(list_[at->second].reason);
}

void Quarantine::add(const std::string& path, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (rows_.emplace(path, list_.size()).second) list_.push_back({path, reason});
}

std::vector<Quarantined> Quarantine::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

std::string damaged_sentence(const std::string& path, const std::string& damage) {
  return path + ": damaged, and what can be read of it is used: " + damage;
}

}  // namespace distal
