#pragma once
// The nouns every room shares. Times are seconds of presentation time, measured from the first
// shown frame of the file.

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

/// A half-open part of one video, [start_s, end_s). The one unit everywhere; a whole video is a
/// clip too, and so is what is made of filmed clips: a mix of two, or a fixed view of one
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
  /// The name of a clip in stores and reports: video hash and times in milliseconds,
  /// VIDEO@START-END; a view VIDEO@START-END#N, a mix VIDEO@START-END*LAMBDA[~FADE]+OTHER.
  std::string key() const;
};

/// Some clips of a list that outlives them, in an order of their own: a pool has many.
using ClipRefs = std::vector<const Clip*>;
ClipRefs refs_of(std::span<const Clip> clips);
ClipRefs refs_of(std::vector<Clip>&&) = delete;

/// lambda of a clip, 1 - lambda of `other`; with fade > 0 lambda runs over the frames
/// (active/mixup.h, blend).
struct Clip::Mixed {
  Clip other;
  // as they stand in the key, to four digits
  double lambda = 0.5;
  double fade = 0;
};

/// The filmed clips by key, and what is made of them by its key; nothing where the key, or a part
/// of it, is none of theirs.
using FilmedClips = std::map<std::string, Clip>;
std::optional<Clip> find_clip(const std::string& key, const FilmedClips& filmed);
/// `clip` mixed with `other`: filmed clips both. Its label is unknown.
Clip mixed_clip(Clip clip, const Clip& other, double lambda, double fade = 0);

struct Classes {
  std::vector<std::string> names;  // sorted, unless the recipe lists them
  int64_t size() const { return static_cast<int64_t>(names.size()); }
  std::optional<int64_t> index(const std::string& name) const;
};

}  // namespace distal
