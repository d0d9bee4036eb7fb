#pragma once
// What lies in the cache's folder, kept under its cap: files of frames and records of probes leave
// by least recent use, and after them files of features (learn/feature_cache.h), which are small
// and dear. Looks at the folder only when it may be past the cap. Several processes may do so at
// once. Not thread-safe. For FrameCache and FeatureCache only.

#include <cstdint>
#include <functional>
#include <string>

namespace distal {

inline constexpr const char* kFramesEnding = ".frames";
inline constexpr const char* kProbeEnding = ".probe";
inline constexpr const char* kFeaturesEnding = ".features";

/// Removes what killed processes of a distal before UnfinishedFile left among the records of
/// probes: HASH.probe.PROCESS-NUMBER.partial. Whoever writes one at this moment probes again. Never
/// throws.
void clear_old_partials(const std::string& probes_folder);

class CacheFolder {
 public:
  CacheFolder(std::string path, int64_t cap_bytes)
      : path_(std::move(path)), cap_bytes_(cap_bytes) {}
  const std::string& path() const { return path_; }
  void wrote(int64_t bytes) { written_bytes_ += bytes; }
  bool may_be_full() const;
  /// Where the folder is past the cap, frees a tenth of the cap. Files that `spare` names and that
  /// somebody writes stay.
  void keep_to_cap(const std::function<bool(const std::string&)>& spare);

 private:
  std::string path_;
  int64_t cap_bytes_;
  int64_t measured_bytes_ = -1;  // of the folder at the last look; -1: never looked
  int64_t written_bytes_ = 0;    // since then
};

}  // namespace distal
