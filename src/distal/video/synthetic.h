#pragma once
// Generated videos with known content, for the demo and for tests. One kind shows a class of motion
// that a single frame does not show. The other kind shows the number of each frame as colours. The
// files are encoded with FFmpeg, by default as H.264.

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
  // presentation time of the first frame; in MP4 an edit list hides frames before 0
  double first_s = 0;
  int rotation = 0;  // display matrix: 0, 90, 180, 270 degrees
  std::string codec = "libx264";
  bool audio = false;  // adds a silent audio stream
  int crf = 18;        // quality; 0 = lossless
  bool operator==(const SyntheticOptions&) const = default;
};

/// The classes of motion. A textured blob on a noisy background moves left, right, up or down, or
/// rotates clockwise or counter-clockwise in place. `seed` determines start position, colours,
/// speed, size and background. The plane is a torus. Positions and angles are uniform at every time
/// in every class, so a single frame carries no information about the class. The extension of the
/// path selects the container: .mp4, .mkv, .avi, .ts. Throws Error: unknown motion, extension or
/// codec, or a missing folder.
const std::vector<std::string>& motions();
void write_motion(const std::string& path, const std::string& motion, uint64_t seed,
                  const SyntheticOptions& options);

/// Writes a video whose frames show their number as colours that survive compression. `read_number`
/// reads the number.
void write_numbered(const std::string& path, const SyntheticOptions& options);
/// The number shown in a frame uint8 [H, W, 3] of any size. -1 if unreadable.
int64_t read_number(const uint8_t* rgb, int64_t height, int64_t width);

/// A folder of motion videos with train.csv, pool.csv and test.csv (path,label,group). File names
/// depend on the options. Classes alternate. Every video is a group of its own.
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
/// Writes the missing files, each atomically. Throws Error, before it writes anything, if a list
/// with other content exists: that list may be a user's. Throws Interrupted between two videos.
void write_motion_set(const std::string& folder, const SyntheticSet& set);
/// Throws the Error of write_motion_set for a list with other content. Writes nothing.
void require_own_lists(const std::string& folder, const SyntheticSet& set);

struct SyntheticVideo {
  std::string path, label, group;  // its row of the list; path relative to the folder
  uint64_t seed = 0;
};
/// The videos of `list`: train, pool or test.
std::vector<SyntheticVideo> motion_list(const SyntheticSet& set, const std::string& list);

}  // namespace distal
