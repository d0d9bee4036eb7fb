#pragma once
// What probing found, kept beside the frames: one file per video path, valid while the video's size
// and time stand. A record that cannot be read, or is of another version, counts as absent. Safe
// between processes: records are replaced by rename. Bytes: CBOR.

#include <cstdint>
#include <optional>
#include <string>

#include "distal/video/probe.h"

namespace distal {

class ProbeCache {
 public:
  explicit ProbeCache(std::string folder) : folder_(std::move(folder)) {}
  /// A record found counts as used: CacheFolder removes the least recently used first.
  std::optional<VideoInfo> find(const std::string& path, const FileStamp& stamp) const;
  /// A folder that cannot be written is no error: the video is then probed again next time.
  void store(const std::string& path, const FileStamp& stamp, const VideoInfo& info) const;

 private:
  std::string file_of(const std::string& path) const;
  std::string folder_;
};

}  // namespace distal
