#pragma once
// Which frames people are asked about, by the index of each video: for tools that count frames.

#include <map>
#include <string>
#include <vector>

#include "distal/data/probe_cache.h"
#include "distal/people/answers.h"

namespace distal {

/// Not thread-safe.
class AskedFrames {
 public:
  /// Of videos that are not in `probes_folder` the index is made, and kept there.
  explicit AskedFrames(const std::string& probes_folder) : probes_(probes_folder) {}

  /// Fills first_frame, last_frame and frame_rate of the items: the frames from the one that is
  /// shown at start_s to the last one that starts before end_s. An item of ranges that ends with
  /// its video gets the video's end. Returns why videos cannot be read, by path. Their items stay
  /// as they are.
  std::map<std::string, std::string> number(std::vector<AskedItem>& items);

  /// When a frame of the item's video is shown, in seconds; the frame behind the last one: the end.
  /// Throws Error: the video cannot be read, or has fewer frames.
  double time_of(const AskedItem& item, int64_t frame);

 private:
  const VideoInfo& index_of(const std::string& video);

  ProbeCache probes_;
  VideoInfo last_;  // the index of a day's recording takes 40 MB: one is held
};

}  // namespace distal
