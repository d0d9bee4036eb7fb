#pragma once
// Whether a page can show a video itself, frame for frame at our times, without a proxy.

#include <cstdint>
#include <string>

#include "distal/video/probe.h"

namespace distal {

struct BrowserLimits {
  int64_t longest_gop = 48;           // frames from a key frame to the next: what a step back costs
  int64_t most_pixels = 1920 * 1088;  // of a picture
  double most_bits_per_s = 20'000'000;  // over the whole file
};

/// Why not; empty: it can. It can where the file is sound and seekable, is H.264 (8 bits, 4:2:0, up
/// to High profile, progressive) in an MP4 or MOV with an index of its own, or VP9 (profile 0) or
/// AV1 (Main, 8 bits) in a WebM, has one video stream, upright pictures, times that begin with 0,
/// and closed groups of pictures (looked at in eight places), within `limits`. Opens the file and
/// does not read it through. Throws Error: it cannot be opened.
std::string why_not_in_browser(const VideoInfo& info, const BrowserLimits& limits = {});
/// Why its packets cannot stand in another file for a page (copy_packets in video/packets.h);
/// empty: they can. The same for H.264, whatever the container, its fragments and its first time.
std::string why_not_copied(const VideoInfo& info, const BrowserLimits& limits = {});

}  // namespace distal
