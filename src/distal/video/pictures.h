#pragma once
// Single frames and film strips of a video as JPEG, through Decoder: the frame shown at a time, as
// exact as there.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/video/decoder.h"

namespace distal {

struct Picture {
  std::string jpeg;
  int64_t frame = 0;  // its number
  double time_s = 0;  // when it begins
};

/// `count` pictures of one size in a row, in one JPEG.
struct FilmStrip {
  std::string jpeg;
  // of one picture, px
  int64_t width = 0;
  int64_t height = 0;
  std::vector<int64_t> frames;  // [count] numbers
  std::vector<double> time_s;   // [count] when each begins
};

/// Which frames a strip has: those shown at its moments, or the key frames at or before these,
/// which come fast from a long video.
enum class StripFrames { shown, keys };

/// Keeps the video open. One Pictures belongs to one thread at a time.
class Pictures {
 public:
  static constexpr int64_t kMostInStrip = 500;
  static constexpr int64_t kWidestStrip_px = 32'000;

  /// Throws Error: missing, changed since probed.
  explicit Pictures(const VideoInfo& info);

  /// The frame shown at `t_s`. `height_px`: of the picture; 0: as stored, and no picture is made
  /// larger than that. A tall video's height may be off by some pixels, since its width is whole.
  /// Throws Error: as Decoder does, not a number.
  Picture at(double t_s, int64_t height_px = 0);
  /// By number, 0 .. info.frames() - 1. Throws Error: no such frame.
  Picture of_frame(int64_t frame, int64_t height_px = 0);

  /// The frames shown in the middle of each of `count` equal parts of [start_s, end_s]. Throws
  /// Error: times that are none or run back, more than kMostInStrip pictures or kWidestStrip_px.
  FilmStrip strip(double start_s, double end_s, int64_t count, int64_t height_px,
                  StripFrames which = StripFrames::shown);

 private:
  Resize resize_to(int64_t height_px) const;
  int64_t frame_for(double t_s, StripFrames which) const;

  VideoInfo info_;
  Decoder decoder_;
};

}  // namespace distal
