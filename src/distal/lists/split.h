#pragma once
// Which rows are held out for testing: whole groups (source videos, patients), so that no group
// stands on both sides.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/lists/lists.h"

namespace distal {

struct GroupSplit {
  std::vector<bool> test;  // a row each
  std::vector<std::string>
      one_group;  // classes with a single group: all of it is for training, nothing measures them
  std::vector<std::string> untested;  // classes with more, yet none to spare: each shares its
                                      // groups with one of the former
};

/// Gives each class about `test_share` of its rows for testing. A group that spans classes counts
/// towards all of them. Classes with the fewest groups choose first, each in an order drawn from
/// (seed, class); a group is taken where it brings the classes it holds nearer to their shares. A
/// class ends within half a group of its share where no group spans classes; where some do, the
/// best of 16 draws stands. Every class keeps a group for training, and gets one for testing where
/// it can be spared (share above 0). Rows without a label, or marked `unlabelled`, follow their
/// group. The same rows, share and seed give the same split.
GroupSplit split_by_group(const std::vector<Row>& rows, double test_share, uint64_t seed);

/// Rows whose labels nobody knows yet: draws whole groups until about `share` of the rows are held
/// out. At least one group stays on each side where there are two and `share` is above 0. The same
/// rows, share and seed give the same draw.
std::vector<bool> hold_out_groups(const std::vector<Row>& rows, double share, uint64_t seed);

/// Rows, ascending: `count` of them, one of each group in turn. `groups`: of each row. The same
/// groups, count and seed give the same draw, and fewer are among the more.
std::vector<int64_t> draw_evenly(const std::vector<Interned>& groups, int64_t count, uint64_t seed);

}  // namespace distal
