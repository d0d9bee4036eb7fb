#pragma once
// Copies of videos that are quick to read: a shorter side, a key frame every few frames, H.264
// without B-frames. A copy has the same frames at the same times, upright and without sound, so
// that spans and frame numbers of a list hold for it too.

#include <string>

#include "distal/video/copy.h"

namespace distal {

struct ShrinkOptions {
  int64_t short_side_px = 256;  // of the copy, rounded down to even; a smaller video keeps its size
  int64_t gop = 12;             // frames between key frames
  int64_t crf = 20;             // H.264's quality, smaller is better
};

/// Writes the copy, whole or not at all; `path` ends in .mp4. Frames that cannot be decoded are
/// replaced as Decoder replaces them. Throws Error: the video cannot be read; CopyError;
/// Interrupted.
void shrink(const VideoInfo& info, const std::string& path, const ShrinkOptions& options);

/// Whether `path` is a copy that shrink made of that very file with those options.
bool is_shrunk(const std::string& path, const FileStamp& of, const ShrinkOptions& options);

}  // namespace distal
