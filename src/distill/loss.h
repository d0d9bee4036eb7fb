#pragma once
// Distillation losses, a family: one file each in losses/. All work from logits of the student and *probabilities* of the
// teacher; a temperature is re-created exactly: softmax(z / tau) = normalise(softmax(z)^(1 / tau)).

#include <string>
#include <utility>
#include <vector>

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
  /// weights float32 [N]. Each part, `truth` and `teacher`, is a scalar: the weighted mean over the clips it applies to, 0
  /// without any. A row of NaN in `teacher` learns from its truth alone; a row without either counts nowhere. No gradient
  /// into teacher. float64 stays float64; half precision is computed in float32.
  virtual Losses losses(const torch::Tensor& logits, const torch::Tensor& teacher, const torch::Tensor& truth,
                        const torch::Tensor& weights) const = 0;
};

/// -sum_k p_k log q_k, weighted mean over rows; rows of NaN are left out (0 when none is left). Label smoothing epsilon
/// moves p to (1 - eps) p + eps / K.
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& probabilities, const torch::Tensor& weights, double smoothing = 0);

/// (1 - eps) p + eps / K: label smoothing as in Szegedy et al., CVPR 2016, arXiv 1512.00567, section 7 (others spread eps over
/// the K - 1 wrong classes). Rows of NaN stay NaN.
torch::Tensor smoothed(const torch::Tensor& probabilities, double smoothing);

/// p^(1/tau) normalised, p clamped to >= 1e-8.
torch::Tensor retemper(const torch::Tensor& probabilities, double tau);

/// Rows of [N, K] without NaN, bool [N].
torch::Tensor known_rows(const torch::Tensor& rows);

/// sum(w v) over the rows of `values` [N] where `applies` (bool [N]), over the sum of w where `counted`; 0, with a gradient
/// of 0, where that is none. Parts of one loss count the same rows, so that every row weighs the same in their sum.
torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& weights, const torch::Tensor& applies, const torch::Tensor& counted);

/// -sum_k p_k log_softmax(logits)_k, [N]; 0 for rows of NaN in `probabilities`. Logits come as float32 or float64.
torch::Tensor cross_entropy_rows(const torch::Tensor& logits, const torch::Tensor& probabilities);

/// Half precision to float32, everything else as it is.
torch::Tensor at_least_float32(const torch::Tensor& logits);

}  // namespace distal
