#pragma once
// For tests: a video that nobody filmed.

#include <string>

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

}  // namespace distal
