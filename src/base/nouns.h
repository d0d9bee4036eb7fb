#pragma once
// The nouns every room shares. Times are seconds of presentation time, measured from the first shown frame of the file.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace distal {

/// A half-open part of one video, [start_s, end_s). The one unit everywhere; a whole video is a clip too.
struct Clip {
  std::string video;      // path as opened
  std::string video_id;   // content hash (video/probe.h), hexadecimal; empty until probed
  double start_s = 0;
  double end_s = std::numeric_limits<double>::infinity();  // infinity: to the end of the video
  std::string group;      // source video or patient: never split between training and test
  int64_t label = -1;     // class index, -1 where unknown (or hidden from the learner)

  double duration_s() const { return end_s - start_s; }
  /// The name of a clip in stores and reports: video hash and times in milliseconds.
  std::string key() const;
};

struct Classes {
  std::vector<std::string> names;  // sorted, unless the recipe lists them
  int64_t size() const { return static_cast<int64_t>(names.size()); }
  std::optional<int64_t> index(const std::string& name) const;
};

}  // namespace distal
