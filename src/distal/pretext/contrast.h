#pragma once
// Contrastive learners, a family with one file each in contrasts/. Every clip has two views. One
// view gives the query, the other the key. The loss makes a query similar to the key of its clip.
// moco and simclr also make it dissimilar to the keys of other clips. A learner makes branches. A
// branch is a projection space with its own modules and memory. Letters: n queries, N keys, d
// dimension of both, C clips of the pool.

#include <cstdint>
#include <memory>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace distal {

class Random;

struct ContrastBatch {
  torch::Tensor queries;   // float32 [n, d] as projected, of any length
  torch::Tensor keys;      // float32 [N, d] likewise; no gradient with a momentum encoder
  torch::Tensor positive;  // int64 [n], the row of each query's own key
  torch::Tensor clips;     // int64 [N], which clip of the pool a key shows
};

/// A projection space. Its parameters and buffers (a predictor, a queue) are trained and
/// checkpointed with the network. Not thread-safe.
class ContrastBranch : public torch::nn::Module {
 public:
  /// The loss of each query, [n]. Called once per training batch.
  virtual torch::Tensor loss(const ContrastBatch& batch) = 0;
};

struct BranchSizes {
  int64_t dim = 128;     // d
  int64_t hidden = 256;  // the width of hidden layers
  int64_t clips = 1;     // C
};

class Contrast {
 public:
  virtual ~Contrast() = default;
  virtual std::shared_ptr<ContrastBranch> branch(const BranchSizes& sizes, Random random) const = 0;
  /// Whether keys come from a momentum encoder. Its weights k follow those of the network q after
  /// every step: k <- m k + (1 - m) q.
  virtual bool momentum_encoder() const { return false; }
  /// The momentum m after step `step` of `steps`. Steps count from 1.
  virtual double momentum(int64_t step, int64_t steps) const { return 0; }
};

/// 1 - (1 - first) (cos(pi step / steps) + 1) / 2, which rises from `first` to 1 along a cosine
/// (Grill et al., BYOL, arXiv 2006.07733).
double annealed(double first, int64_t step, int64_t steps);

/// Scales rows to length 1. Returns float32, or float64 for float64.
torch::Tensor unit_rows(const torch::Tensor& rows);

}  // namespace distal
