#pragma once
// Contrastive learners, a family: one file each in contrasts/. Of every clip there are two views;
// the query, seen by the network, is to be like the key of the same clip (and, with moco and
// simclr, unlike the keys of others). Each learner makes branches: a branch is a space of its own
// into which clips are projected, with whatever is learned or remembered there. Letters: n queries,
// N keys, d their dimension, C clips of the pool.

#include <memory>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal {

struct ContrastBatch {
  torch::Tensor queries;  // float32 [n, d] as projected, of any length
  torch::Tensor
      keys;  // float32 [N, d] likewise; without gradient where they come from a momentum encoder
  torch::Tensor positive;  // int64 [n], the row of each query's own key
  torch::Tensor clips;     // int64 [N], which clip of the pool a key shows
};

/// Its parameters and buffers (a predictor, a queue) are trained and checkpointed with the rest.
/// One thread.
class ContrastBranch : public torch::nn::Module {
 public:
  /// The loss of each query, [n]; called once per batch, in training.
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
  /// Whether keys come from an encoder that follows the network as k <- m k + (1 - m) q after every
  /// step.
  virtual bool momentum_encoder() const { return false; }
  /// m after `step` of `steps`, counted from 1.
  virtual double momentum(int64_t step, int64_t steps) const { return 0; }
};

/// 1 - (1 - first) (cos(pi step / steps) + 1) / 2: from `first` to 1 along a cosine (Grill et al.,
/// BYOL, arXiv 2006.07733).
double annealed(double first, int64_t step, int64_t steps);

/// Rows of length 1, as float32 (float64 stays).
torch::Tensor unit_rows(const torch::Tensor& rows);

}  // namespace distal
