#pragma once
// For tests that read videos: a made-up probe, and whole files.

#include <fstream>
#include <iterator>
#include <string>

#include "distal/base/testing.h"
#include "distal/video/probe.h"

namespace distal {

/// A made-up probe: `frames` frames at `rate`.
inline VideoInfo steady_video(int64_t frames, double rate, const std::string& path = "a.mp4") {
  VideoInfo info;
  info.path = path;
  info.id = "id of " + path;
  for (int64_t i = 0; i < frames; ++i) info.time_s.push_back(static_cast<double>(i) / rate);
  info.duration_s = static_cast<double>(frames) / rate;
  return info;
}

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace distal
