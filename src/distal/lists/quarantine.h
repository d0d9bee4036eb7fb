#pragma once
// The quarantine lists unusable videos with the first reason of each. Such videos never stop a run.
// Thread-safe.

#include <filesystem>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/types.h>

#include "distal/base/error.h"

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

/// Returns the result of `read`, a function that reads the video at `path`. Converts errors of the
/// file system, std::bad_alloc and errors of LibTorch to Error. Lets other exceptions pass: Error
/// and derived classes, and std::logic_error, which is a bug of distal.
template <class Read>
auto reading_video(const std::string& path, Read&& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::filesystem::filesystem_error& error) {
    fail("{}: {}; check the disk and the file's permissions", path, error.code().message());
  } catch (const std::bad_alloc&) {
    fail("{}: no memory left for its frames; make the video smaller, or run fewer threads", path);
  } catch (const c10::Error&) {
    fail("{}: its frames cannot be held in memory; make the video smaller, or run fewer threads",
         path);
  }
}

}  // namespace distal
