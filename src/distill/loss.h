#pragma once
// Distillation losses, a family: one file each in losses/. All work from logits of the student and *probabilities* of the
// teacher; a temperature is re-created exactly: softmax(z / tau) = normalise(softmax(z)^(1 / tau)).

#include <map>
#include <string>

#include <torch/types.h>

#include "base/catalogue.h"

namespace distal {

/// Named parts of a loss; what is minimised is their sum.
using Losses = std::vector<std::pair<std::string, torch::Tensor>>;
torch::Tensor total(const Losses& losses);

class DistillLoss {
 public:
  virtual ~DistillLoss() = default;
  /// logits float32 [N, K]; teacher float32 [N, K] probabilities; truth float32 [N, K] one-hot or NaN rows where unknown;
  /// weights float32 [N]. Each part is a scalar: the weighted mean over the clips it applies to. No gradient into teacher.
  virtual Losses losses(const torch::Tensor& logits, const torch::Tensor& teacher, const torch::Tensor& truth,
                        const torch::Tensor& weights) const = 0;
};

/// -sum_k p_k log q_k, weighted mean over rows; rows of NaN are left out (0 when none is left). Label smoothing epsilon
/// moves p to (1 - eps) p + eps / K.
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& probabilities, const torch::Tensor& weights, double smoothing = 0);

/// p^(1/tau) normalised, p clamped to >= 1e-8.
torch::Tensor retemper(const torch::Tensor& probabilities, double tau);

}  // namespace distal
