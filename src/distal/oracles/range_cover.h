#pragma once
// The class of a part of a video, where people marked ranges of its time line with classes.

#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/store/people_store.h"

namespace distal {

struct CoverRule {
  double min_cover = 0.5;  // share of a clip, in (0, 1], that its class covers at least
  std::string background;  // class of the time that no range covers; empty: it has none
};

/// The class that covers most of the clip, whose end is finite; empty where none covers min_cover
/// of it. Ranges are half-open, as clips are. Where ranges of one class overlap, their time counts
/// once. Where ranges of two classes overlap, it counts for both. Of classes that cover equally
/// much (to 1 us) it is the one whose cover begins first in the clip, then the first by name.
std::string class_by_cover(const std::vector<PeopleStore::Range>& ranges, const Clip& clip,
                           const CoverRule& rule);

}  // namespace distal
