#pragma once
// Which clips and rows show the same source: the same video, operation or patient. Lists that must
// be apart share none.
//
// Two show one source where
//   1. their videos have the same content, or are the same file;
//   2. their groups have one name: the same, or, where a list says one of them (Row::grouped), one
//   is the end of the other by whole
//      parts of a path, as `VID73` is of `videos/VID73`; the ending of a video does not count;
//   3. one of them has no group of its own, and their videos have the same base name:
//   `full/op7.mp4` and `half/op7.mkv`.
// Base names tell nothing where files are merely numbered: where each lies in the folder of its
// class and the classes differ
// (`run/001.mp4`, `walk/001.mp4`), and in lists of which one has a base name for two contents.
// Groups in a list settle what names leave open: `a/1.mp4` of group `p1` and `b/1.mp4` of group
// `p2` are two sources.

#include <optional>
#include <span>

#include "distal/lists/lists.h"

namespace distal {

/// What is known of one clip or row.
struct Footage {
  Interned video, content, group,
      label;             // content: hash, "" where unknown; label: "" where unknown
  bool grouped = false;  // Row::grouped
  Origin place;
};

/// A pair that shows one source, by index into each list, and why.
struct Leak {
  int64_t first, second;
  std::string why;  // such as: they have the same content
};

/// The first of `second` that shows a source of `first`, or nothing.
std::optional<Leak> find_leak(std::span<const Footage> first, std::span<const Footage> second);

/// Throws Error naming the first pair of clips, of one list each, that show one source: rows,
/// videos, groups and roles.
void require_disjoint(const RoleClips& first, const RoleClips& second, const Classes& classes);

/// Gives rows that show one source one group, that of the first. `contents`: a hash a row, "" where
/// unknown; `lists`: a number a row, the list it comes from (rule 3 compares lists). Returns how
/// many rows changed their group.
int64_t join_sources(std::vector<Row>& rows, const std::vector<std::string>& contents,
                     const std::vector<int>& lists);

}  // namespace distal
