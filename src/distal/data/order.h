#pragma once
// The order in which samples are visited, as a function of the position alone: position p of a run
// is the same sample for ever, whoever asks and in whatever order. Thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "distal/base/random.h"

namespace distal {

/// The rows of each batch that one of several ranks of a training reads: every `ranks`-th, from
/// `rank` on. Together the ranks read each row once.
struct Share {
  int64_t rank = 0, ranks = 1;
  /// How many rows of a batch that is the rank's; one at least where the batch has as many as there
  /// are ranks.
  int64_t rows(int64_t batch_size) const { return (batch_size - rank + ranks - 1) / ranks; }
  /// Where in the order of samples the rank's row `row` of step `step` stands.
  int64_t position(int64_t step, int64_t batch_size, int64_t row) const {
    return step * batch_size + rank + row * ranks;
  }
};

class SampleOrder {
 public:
  /// Each epoch a fresh permutation of 0 .. samples-1.
  SampleOrder(int64_t samples, Random random);
  /// Class-balanced: every run of as many positions as there are classes has each class once, in a
  /// fresh order; each class goes through permutations of its own samples. `class_of` [samples]:
  /// any numbers.
  SampleOrder(const std::vector<int64_t>& class_of, Random random);

  /// The sample at `position`; attempt 1, 2, ...: what replaces it when it cannot be used, first
  /// the following ones of the same permutation, then (class-balanced) all samples in turn. Every
  /// sample comes up within attempts() attempts.
  int64_t at(int64_t position, int64_t attempt) const;
  int64_t attempts() const { return groups_.size() == 1 ? samples_ : 2 * samples_; }

 private:
  using Rows = std::shared_ptr<const std::vector<int64_t>>;
  Rows permutation(const char* name, int64_t group, int64_t index, int64_t size) const;

  int64_t samples_;
  Random random_;
  std::vector<std::vector<int64_t>>
      groups_;  // the samples of each class; a single group of all when not balanced
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int64_t, int64_t>, Rows> recent_;  // by (index, group)
};

}  // namespace distal
