#pragma once
// What a trial has learned from so far, and how it begins.

#include <set>
#include <string>
#include <vector>

#include "distal/study/dataset.h"

namespace distal {

class Random;

struct LabeledSet {
  std::vector<Sample> samples;
  std::set<std::string>
      closed;  // Clip::key() of clips of the pool that were asked about or cannot be
  std::vector<Clip> clips() const;
  ClipRefs open(const std::vector<Clip>& pool) const;  // those that may still be asked about
  void close(const std::vector<Clip>& clips);
};

/// The initial clips that an arm draws from `clips`: a function of start, start_draw and `random`.
/// The fewer are the first of the more, but among all of `clips`, which come in their own order.
/// Evenly over the classes: one of each in turn, as far as there are some.
std::vector<Clip> initial_draw(const ClipRefs& clips, const ArmOptions& arm, int64_t classes,
                               Random random);

/// The clips of the pool that ArmOptions::pool_size leaves out, as closed: the same for every arm
/// of a seed, fewer for a larger pool.
LabeledSet limited_pool(const std::vector<Clip>& pool, int64_t pool_size, Random random);

}  // namespace distal
