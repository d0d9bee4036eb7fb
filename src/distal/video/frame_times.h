#pragma once
// The times of a video's frames for a page. They are those of VideoInfo, which a ProbeCache keeps;
// nothing is read from the video.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/video/probe.h"

namespace distal {

/// The numbers of the frames where a decoder can start, ascending. Empty: only from the file's
/// start.
std::vector<int64_t> key_frames(const VideoInfo& info);

/// `{"times":[...],"keys":[...]}`: the start of each shown frame in seconds, ascending from 0, in
/// as many digits as give the same number back, and key_frames. About 20 bytes a frame.
std::string frame_times_json(const VideoInfo& info);

/// The same times as IEEE doubles, little-endian, 8 bytes a frame.
std::string frame_times_f64(const VideoInfo& info);

}  // namespace distal
