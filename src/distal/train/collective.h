#pragma once
// Data parallelism. Several processes, called ranks, train one network together. Each rank computes
// gradients for its share of every batch (Share, data/share.h). All ranks take the same step with
// the mean of the gradients. Source: Li et al., "PyTorch Distributed", VLDB 2020, arXiv 2006.15704,
// section 3.
//
// The result equals that of one rank with the whole batches, up to rounding, if the loss is a mean
// over clips of equal weight with known targets. Otherwise it differs. Losses that compare the
// clips of a batch (rkd, sp, crd, contrasts) and augmentation that mixes clips use only the clips
// of a rank. Batch norms use the statistics of a rank. Each rank draws its own dropout.

#include <memory>
#include <vector>

#include <torch/types.h>

namespace distal {

class Collective {
 public:
  virtual ~Collective() = default;
  virtual int64_t rank() const = 0;  // 0 .. size() - 1; rank 0 writes files
  virtual int64_t size() const = 0;

  // All ranks call these functions in the same order. Each call waits for all ranks. Throws Error
  // if a rank is gone.
  /// Replaces a floating-point tensor [n] by its mean over the ranks. Size and dtype are equal on
  /// all ranks.
  virtual void all_reduce_mean(torch::Tensor& flat) = 0;
  /// Replaces the tensor by that of rank 0. Shape and dtype are equal on all ranks.
  virtual void broadcast(torch::Tensor& tensor) = 0;
  /// The counts of all ranks, [size()].
  virtual std::vector<int64_t> all_gather(int64_t count) = 0;
};

/// The collective of a single process.
Collective& single_rank();

/// Gives every rank the tensors of rank 0. Throws Error on every rank if the ranks continue from
/// different steps, because they found different checkpoints.
void begin_together(Collective& collective, int64_t step,
                    const std::vector<torch::Tensor>& tensors);

/// Replaces the gradients by their mean over the ranks, weighted by the number of clips of each
/// rank. Uses one all-reduce of one flat buffer. A missing gradient of a rank counts as 0. A
/// parameter without a gradient on all ranks keeps none.
void average_gradients(Collective& collective, const std::vector<torch::Tensor>& parameters,
                       int64_t clips);

}  // namespace distal
