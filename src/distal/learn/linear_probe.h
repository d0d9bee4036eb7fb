#pragma once
// What frozen features are worth: a linear probe and a vote of nearest neighbours. Both are
// deterministic.

#include <cstdint>

#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/model.h"
#include "distal/tasks/task.h"
namespace distal {

class Net;

struct LinearProbe {
  torch::Tensor weight, bias;  // float32 [K, D] [K], for the features as they came
  torch::Tensor logits(const torch::Tensor& features) const;  // [M, D] to [M, K]
};

/// The task's loss (multinomial logistic regression with one label a clip) on standardised features
/// (mean 0, deviation 1; a constant one counts for nothing),
///
///   min over W, b of  (1 / sum w) [ sum_i w_i loss(W x_i + b, p_i) + |W|^2 / (2 C) ],
///
/// by full-batch L-BFGS with a strong Wolfe line search in float64, from 0; the standardisation is
/// folded into what comes back. features float32 [M, D], probabilities float32 [M, K] without NaN,
/// weights float32 [M]. C is scikit-learn's, 1 its default.
LinearProbe linear_probe(const torch::Tensor& features, const torch::Tensor& probabilities,
                         const torch::Tensor& weights, double c = 1,
                         const Task& task = default_task());

/// Puts a probe into a net's classifier, its parameters fc.weight and fc.bias.
void set_classifier(Net& net, const LinearProbe& probe);

/// float32 [M, K]: the share of each class among the `neighbours` training rows (all where there
/// are fewer) most similar by cosine. What similar classes of equal share lack is their similarity:
/// a thousandth of it is added. labels int64 [L].
torch::Tensor nearest_neighbours(const torch::Tensor& known, const torch::Tensor& labels,
                                 const torch::Tensor& features, int64_t classes,
                                 int64_t neighbours = 10);

/// The share of rows of scores [M, K] that predict their label, int64 [M].
double accuracy(const torch::Tensor& scores, const torch::Tensor& labels,
                const Task& task = default_task());

}  // namespace distal
