#pragma once
// Copies of a video's frames: H.264 in MP4 without B-frames and sound, upright, each frame once, at
// its own time. What shrink.h and proxy.h share.

#include <cstdint>
#include <functional>
#include <string>

#include "distal/base/error.h"
#include "distal/video/probe.h"

namespace distal {

struct CopyForm {
  int64_t short_side_px = 0;  // rounded down to even; a smaller video keeps its size
  int64_t gop = 12;           // frames between key frames
  int64_t crf = 20;           // H.264's quality, smaller is better
  std::string comment;        // kept in the file's metadata
  bool for_browser = false;   // CopyTiming in video/writer.h
  bool fragments = false;     // the same; times then count from the first frame of the video
};

/// Frames [first, end) by number.
struct FrameSpan {
  int64_t first = 0;
  int64_t end = 0;
};

/// The copy cannot be written; the video is not to blame.
class CopyError : public Error {
 public:
  using Error::Error;
};

/// Writes a copy of the frames of `span`, whole or not at all; `path` ends in .mp4. Times count
/// from the first of them, or with `fragments` from the first of the video. They are those of the
/// source, in its own ticks where these are regular and a 90,000th of a second otherwise. Frames
/// that cannot be decoded are replaced as Decoder replaces them. Memory: some dozens of frames of
/// the copy's size. `progress` is told how many frames are done. Throws Error: the video cannot be
/// read; CopyError; Interrupted.
void write_copy(const VideoInfo& info, FrameSpan span, const std::string& path,
                const CopyForm& form, const std::function<void(int64_t)>& progress = {});

}  // namespace distal
