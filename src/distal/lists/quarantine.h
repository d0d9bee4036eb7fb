#pragma once
// The quarantine lists unusable videos with the first reason of each. Such videos never stop a run.
// Thread-safe.

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace distal {

struct Quarantined {
  std::string path, reason;
};

class Quarantine {
 public:
  /// Throws Error with the reason where `path` is in quarantine.
  void require_absent(const std::string& path) const;
  /// Adds a path. Keeps the first reason of a path.
  void add(const std::string& path, const std::string& reason);
  std::vector<Quarantined> list() const;  // in the order of discovery

 private:
  mutable std::mutex mutex_;
  std::vector<Quarantined> list_;
  std::unordered_map<std::string, size_t> rows_;  // of `list_`, by path
};

/// The warning about a damaged video that is used.
std::string damaged_sentence(const std::string& path, const std::string& damage);

}  // namespace distal
