#pragma once
// For tests that read videos: a made-up probe, and whole files.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "distal/base/testing.h"
#include "distal/video/probe.h"
#include "distal/video/synthetic.h"

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

/// What a command writes to its standard output. Throws Error: it failed.
inline std::string output_of(const std::string& command) {
  std::string output;
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::vector<char> block(1 << 16);
  while (const size_t count = std::fread(block.data(), 1, block.size(), pipe))
    output.append(block.data(), count);
  if (::pclose(pipe) != 0) fail("{}: failed", command);
  return output;
}

/// The start of each frame in seconds as ffprobe says, and the number painted in it as ffmpeg
/// decodes it.
struct CommandLineFrames {
  std::vector<double> time_s;
  std::vector<int64_t> numbers;
};

inline CommandLineFrames command_line_frames(const std::string& path, int64_t height,
                                             int64_t width) {
  CommandLineFrames frames;
  std::istringstream times(output_of(
      "ffprobe -v error -select_streams v -show_entries frame=pts_time -of default=nk=1:nw=1 '" +
      path + "'"));
  for (double time_s = 0; times >> time_s;) frames.time_s.push_back(time_s);
  const std::string rgb =
      output_of("ffmpeg -nostdin -v error -i '" + path +
                "' -vsync passthrough -f rawvideo -pix_fmt rgb24 - 2>/dev/null");
  const auto bytes = static_cast<size_t>(3 * height * width);
  for (size_t at = 0; at + bytes <= rgb.size(); at += bytes)
    frames.numbers.push_back(
        read_number(reinterpret_cast<const uint8_t*>(rgb.data()) + at, height, width));
  return frames;
}

}  // namespace distal
