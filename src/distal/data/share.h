#pragma once
// How several ranks of a training share its batches.

#include <cstdint>

namespace distal {

/// The rows of each batch that one of several ranks reads: rank, rank + ranks, ... All ranks
/// together read each row once.
struct Share {
  int64_t rank = 0;
  int64_t ranks = 1;
  /// The number of rows of the rank. At least 1 if batch_size >= ranks.
  int64_t rows(int64_t batch_size) const { return (batch_size - rank + ranks - 1) / ranks; }
  /// The position, in the order of samples, of row `row` of this rank in step `step`.
  int64_t position(int64_t step, int64_t batch_size, int64_t row) const {
    return step * batch_size + rank + row * ranks;
  }
};

}  // namespace distal
