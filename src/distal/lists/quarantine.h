#pragma once
// Videos that cannot be used, each with the reason met first. They never stop a run. Thread-safe.

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
  /// The first reason given for a path stands.
  void add(const std::string& path, const std::string& reason);
  std::vector<Quarantined> list() const;  // in the order of discovery

 private:
  mutable std::mutex mutex_;
  std::vector<Quarantined> list_;
  std::unordered_map<std::string, size_t> rows_;  // of `list_`, by path
};

/// The line that says so of a video that is damaged and used all the same.
std::string damaged_sentence(const std::string& path, const std::string& damage);

/// What `read` returns, which reads the video at `path`. What a video or its disk can cause comes
/// out as Error with place, what, cure: refusals of the file system, memory that is not there,
/// errors of LibTorch. All else passes as it is: Error and its kinds, and std::logic_error, a bug
/// of ours.
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
