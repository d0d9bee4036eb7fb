#pragma once
// What training and evaluation batches share: tensors to fill, one-hot targets, the list of unreadable clips.

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "data/batches.h"

namespace distal {

/// A batch of `rows` clips, not filled; targets NaN, weights 1.
Batch empty_batch(int64_t rows, int64_t classes, const InputOptions& options);

/// The first `rows` of a batch, without a copy.
Batch first_rows(const Batch& batch, int64_t rows);

/// Where row `row` of a batch lies: float [3, T, H, W].
float* clip_at(Batch& batch, int64_t row);

/// Clips found unreadable: each is tried once, each video is reported once. Thread-safe.
class UnreadableClips {
 public:
  void add(int64_t row, const std::string& path, const std::string& reason);
  bool has(int64_t row) const;
  std::vector<Quarantined> list() const;

 private:
  mutable std::mutex mutex_;
  std::set<int64_t> rows_;
  std::vector<Quarantined> list_;
};

}  // namespace distal
