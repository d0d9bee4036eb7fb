#pragma once
// What training and evaluation batches share: tensors to fill, and clips that may be unreadable.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "distal/data/batches.h"

namespace distal {

class Random;

/// Large tensors, as batches are read, that are used again once their last view is gone. Freed,
/// small blocks that live longer would settle in their place, and with every video that is opened
/// the process would grow by a batch. Thread-safe; what was taken may outlive it.
class Buffers {
 public:
  torch::Tensor take(at::IntArrayRef sizes);  // float32, not filled

 private:
  struct Free {
    std::mutex mutex;
    std::vector<torch::Tensor> tensors;
  };
  std::shared_ptr<Free> free_ = std::make_shared<Free>();
};

/// A batch of `rows` clips, not filled; targets NaN, weights 1.
Batch empty_batch(int64_t rows, int64_t outputs, const InputOptions& options, Buffers& buffers);

/// The first `rows` of a batch, without a copy.
Batch first_rows(const Batch& batch, int64_t rows);

/// Where row `row` of a batch lies: float [3, T, H, W].
float* clip_at(Batch& batch, int64_t row);

/// ClipReader::view; nothing where the video is in quarantine, now or before: `reason` then says
/// why, unless it said something already. Throws CacheError, Interrupted.
std::optional<FrameView> view_or_reason(ClipReader& reader, const Clip& clip, Random* random,
                                        bool training, std::string& reason);

}  // namespace distal
