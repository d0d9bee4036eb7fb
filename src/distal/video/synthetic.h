#pragma once
// Videos made by code that knows the truth: real H.264 (and other) files whose class is a motion
// that no single frame shows, or whose frame number is painted as colours. The data of the demo and
// of the tests.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

struct SyntheticOptions {
  int64_t frames = 32;  // 0: no video stream
  double rate = 25;     // frames per second
  // as shown: after rotation; odd sizes are stored as 4:4:4
  int64_t width = 64;
  int64_t height = 64;
  bool variable_rate = false;  // durations alternate irregularly around 1 / rate
  int64_t b_frames = 0;
  int64_t gop = 12;  // frames between key frames
  bool open_gop = false;
  double first_s =
      0;  // presentation time of the first frame; MP4 hides what lies before 0 (edit list)
  int rotation = 0;  // display matrix: 0, 90, 180, 270 degrees
  std::string codec = "libx264";
  bool audio = false;  // adds a silent audio stream
  int crf = 18;        // quality; 0 = lossless
  bool operator==(const SyntheticOptions&) const = default;
};

/// Motion classes: a textured blob on a noisy background that moves left, right, up, down, or turns
/// clockwise or counter-clockwise at its place; start place, colours, speed, size and background
/// are drawn from `seed`. The plane is a torus and places and angles are uniform at every moment in
/// every class, so a still says nothing. The container follows the path's extension: .mp4, .mkv,
/// .avi, .ts. Throws Error: unknown motion, extension or codec, folder missing.
const std::vector<std::string>& motions();
void write_motion(const std::string& path, const std::string& motion, uint64_t seed,
                  const SyntheticOptions& options);

/// Each frame is painted with its number as colours that survive compression; `read_number` reads
/// it back.
void write_numbered(const std::string& path, const SyntheticOptions& options);
/// The number painted in a frame uint8 [H, W, 3] given as bytes, at any size; -1 if unreadable.
int64_t read_number(const uint8_t* rgb, int64_t height, int64_t width);

/// A folder of motion videos with train.csv, pool.csv and test.csv (path,label,group). Other
/// options give other file names; classes take turns; every video is a group of its own.
struct SyntheticSet {
  std::vector<std::string> classes = {"left", "right", "up", "down"};
  // videos of each list, over all classes
  int64_t train = 60;
  int64_t pool = 120;
  int64_t test = 60;
  uint64_t seed = 1;
  SyntheticOptions video;
  bool operator==(const SyntheticSet&) const = default;
};
/// Writes what is absent, each file whole. Throws Error, before anything is written, where a list
/// of other content stands in its place: that is somebody's work; Interrupted between two videos.
void write_motion_set(const std::string& folder, const SyntheticSet& set);
/// That Error alone; writes nothing.
void require_own_lists(const std::string& folder, const SyntheticSet& set);

struct SyntheticVideo {
  std::string path, label, group;  // its row of the list; path relative to the folder
  uint64_t seed = 0;
};
/// The videos of `list`: train, pool or test.
std::vector<SyntheticVideo> motion_list(const SyntheticSet& set, const std::string& list);

}  // namespace distal
