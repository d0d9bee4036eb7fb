#pragma once
// Several processes, called ranks, that train one network together (data parallelism): each learns
// from its share of every batch (Share, data/order.h), and all take the same step, by the mean of
// their gradients. Sources: Li et al., "PyTorch Distributed", VLDB 2020, arXiv 2006.15704,
// section 3.
//
// What equals one rank's training of the whole batches, but for rounding: losses that are means
// over clips of equal weight whose word is known. What does not: losses that compare the clips of a
// batch (rkd, sp, crd, contrasts) and augmentation that mixes them, which see a rank's clips alone;
// batch norms, whose statistics are each rank's; dropout, which each rank draws for itself.

#include <memory>
#include <vector>

#include <torch/types.h>

namespace distal {

class Collective {
 public:
  virtual ~Collective() = default;
  virtual int64_t rank() const = 0;  // 0 .. size() - 1; rank 0 writes files
  virtual int64_t size() const = 0;

  // Every rank calls these in the same order. Each waits for all ranks. Throws Error where one is
  // gone.
  /// In place the mean over ranks of a floating tensor [n], of equal size and dtype everywhere.
  virtual void all_reduce_mean(torch::Tensor& flat) = 0;
  /// In place rank 0's tensor, of equal shape and dtype everywhere.
  virtual void broadcast(torch::Tensor& tensor) = 0;
  /// What each rank gave, [size()].
  virtual std::vector<int64_t> all_gather(int64_t count) = 0;
};

/// One process by itself.
Collective& single_rank();

/// Lets every rank begin with the tensors of rank 0. Throws Error, on every rank, where the ranks
/// would go on from different steps, which happens where they do not see the same checkpoint.
void begin_together(Collective& collective, int64_t step,
                    const std::vector<torch::Tensor>& tensors);

/// Replaces the gradients by their mean over the ranks, each weighed by the clips it learned from:
/// by one all-reduce of one flat buffer. A parameter without a gradient on some ranks counts as 0
/// there; without one on every rank it keeps none.
void average_gradients(Collective& collective, const std::vector<torch::Tensor>& parameters,
                       int64_t clips);

}  // namespace distal
