#pragma once
// Types that all rooms share. Times are presentation times in seconds from the first shown frame of
// the file.

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "distal/base/interned.h"

namespace distal {

/// A half-open part of one video, [start_s, end_s). A whole video is also a clip. A filmed clip is
/// part of a video file. Mixes of two filmed clips and fixed views of a filmed clip are also clips
/// (data/derived_view.h).
struct Clip {
  Interned video;     // path as opened
  Interned video_id;  // content hash (video/probe.h), hexadecimal; empty until probed
  double start_s = 0;
  double end_s = std::numeric_limits<double>::infinity();  // infinity: to the end of the video
  Interned group;      // source video or patient: never split between training and test
  int64_t label = -1;  // class index, -1 where unknown (or hidden from the learner)
  int64_t view = 0;    // n > 0: the n-th fixed view of it
  struct Mixed;
  std::shared_ptr<const Mixed> mixed;  // what it is mixed with; null: nothing

  double duration_s() const { return end_s - start_s; }
  bool filmed() const { return view == 0 && !mixed; }
  /// The key of a clip in stores and reports. VIDEO@START-END consists of the video hash and times
  /// in milliseconds. A view is VIDEO@START-END#N. A mix is VIDEO@START-END*LAMBDA[~FADE]+OTHER.
  std::string key() const;
};

/// References to clips of a list, in any order. The list must outlive them.
using ClipRefs = std::vector<const Clip*>;
ClipRefs refs_of(std::span<const Clip> clips);
ClipRefs refs_of(std::vector<Clip>&&) = delete;

/// A mix takes lambda of the clip and 1 - lambda of `other`. With fade > 0, lambda changes over the
/// frames (blend in active/mixup.h).
struct Clip::Mixed {
  Clip other;
  // as they stand in the key, to four digits
  double lambda = 0.5;
  double fade = 0;
};

/// find_clip returns the filmed clip, view or mix with the key. nullopt if a clip of the key is not
/// in `filmed`, which maps keys to filmed clips.
using FilmedClips = std::map<std::string, Clip>;
std::optional<Clip> find_clip(const std::string& key, const FilmedClips& filmed);
/// The mix of two filmed clips. Its label is unknown.
Clip mixed_clip(Clip clip, const Clip& other, double lambda, double fade = 0);

struct Classes {
  std::vector<std::string> names;  // sorted, unless the recipe lists them
  int64_t size() const { return static_cast<int64_t>(names.size()); }
  std::optional<int64_t> index(const std::string& name) const;
};

}  // namespace distal
