#pragma once
// The order of training samples. The sample at a position depends only on the position.
// Thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "distal/base/random.h"

namespace distal {

class SampleOrder {
 public:
  /// Each epoch is a new permutation of 0 .. samples-1.
  SampleOrder(int64_t samples, Random random);
  /// Class-balanced order. With K classes, every K consecutive positions contain each class once,
  /// in a new order. Each class follows permutations of its samples. `class_of` [samples] may
  /// contain any numbers.
  SampleOrder(const std::vector<int64_t>& class_of, Random random);

  /// The sample at `position`. The attempts 1, 2, ... give its replacements if it cannot be used:
  /// first the following samples of the permutation, then, if class-balanced, all samples in turn.
  /// Every sample occurs within attempts() attempts.
  int64_t at(int64_t position, int64_t attempt) const;
  int64_t attempts() const { return groups_.size() == 1 ? samples_ : 2 * samples_; }

 private:
  using Rows = std::shared_ptr<const std::vector<int64_t>>;
  Rows permutation(const char* name, int64_t group, int64_t index, int64_t size) const;

  int64_t samples_;
  Random random_;
  // the samples of each class; one group of all samples if not balanced
  std::vector<std::vector<int64_t>> groups_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int64_t, int64_t>, Rows> recent_;  // by (index, group)
};

}  // namespace distal
