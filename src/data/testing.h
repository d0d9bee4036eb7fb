#pragma once
// For tests of this room: a folder of one's own, small videos, a reader over them.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include "data/clip_reader.h"
#include "video/synthetic.h"

namespace distal {

/// A new empty folder under the system's temporary folder, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "distal_data_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::string path_;
};

/// A video of numbered frames.
inline std::string numbered(const TemporaryFolder& folder, const std::string& name, int64_t frames = 32) {
  SyntheticOptions options;
  options.frames = frames;
  write_numbered(folder / name, options);
  return folder / name;
}

inline std::vector<int64_t> numbers(const FrameView& view) {
  std::vector<int64_t> all;
  for (const uint8_t* frame : view.frames) all.push_back(read_number(frame, view.height, view.width));
  return all;
}

/// What an action throws as distal::Error; "" if nothing.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

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
