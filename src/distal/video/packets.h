#pragma once
// Parts of a video that hold its own packets: nothing is decoded or coded again.

#include <string>

#include "distal/video/copy.h"

namespace distal {

/// Writes the packets of the frames of `span` to an MP4 in fragments, each at its own time, counted
/// from the first frame of the video; `path` ends in .mp4. `span` begins with a key frame and ends
/// before another, or with the video; the video is one of which why_not_copied (video/browser.h)
/// says nothing. False, and nothing is written: the file does not give these packets, or not with
/// times that an MP4 holds. Throws Error: the video cannot be opened, or the file not be written;
/// Interrupted.
bool copy_packets(const VideoInfo& info, FrameSpan span, const std::string& path,
                  const std::string& comment);

}  // namespace distal
