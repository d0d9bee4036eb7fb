#pragma once
// What the losses that compare features share: features by name from both sides of a lesson,
// brought to one size.

#include <cstdint>

#include "distal/base/error.h"
#include "distal/distill/loss.h"
#include "distal/models/layers.h"

namespace distal {

class Random;

/// Which features a loss compares: `embedding`, or a map by its name on either side.
struct FeatureNames {
  std::string student, teacher;  // teacher empty: the student's name
};

/// Both sides as float32 (float64 stays) [N, C, T, H, W]; an embedding, or a map that is one vector
/// for each clip, is [N, D, 1, 1, 1]. The teacher's has no gradient. Throws Error for a map that a
/// network does not leave, with the names of those it does.
struct Features {
  torch::Tensor student, teacher;
};
Features features(const Lesson& lesson, const FeatureNames& names, const char* loss);

/// The same with T, H and W averaged, each where it is larger, to the smaller of the two sides'
/// (adaptive pooling).
Features of_one_size(const Features& features);

/// Embeddings of both sides, [N, D] and [N, D'].
Features embeddings(const Lesson& lesson);

/// Weights of the clips that the teacher answered for, 0 for the others, [N] of `like`'s dtype:
/// what was not asked for teaches nothing.
torch::Tensor taught_weights(const Lesson& lesson, const torch::Tensor& like);

/// sum_ij w_i w_j v_ij / sum_ij w_i w_j of values [N, N]; [N, N, N] alike. 0 without weight.
torch::Tensor mean_over_pairs(const torch::Tensor& values, const torch::Tensor& weights);
torch::Tensor mean_over_triples(const torch::Tensor& values, const torch::Tensor& weights);

/// x / |x| along a dimension; x as it is where |x| <= 1e-12, so that gradients stay finite there.
torch::Tensor unit(const torch::Tensor& x, int64_t dim);

/// A fresh linear layer, weights uniform in +- 1 / sqrt(in), bias 0.
std::shared_ptr<Linear> fresh_linear(int64_t in, int64_t out, Random random);

/// What `parts` made, as what it is.
template <class Parts>
Parts& parts_of(const Lesson& lesson) {
  auto* parts = dynamic_cast<Parts*>(lesson.parts);
  expect(parts != nullptr, "the loss gets the parts that it made");
  return *parts;
}

}  // namespace distal
