#pragma once
// What the strategies share: checked probabilities and embeddings, and the distance of every point of a pool to the
// nearest of a growing set of centres, in memory that is linear in the pool. Everything here is a pure function of its
// arguments but NearestCentre, which one thread uses.
//
// A point may be given in factors: with factors q [M, K] and h [M, D] the point of row i is the outer product q_i h_i, of
// length K * D, which is never built. Since <q_i h_i, q_j h_j> = <q_i, q_j> <h_i, h_j>,
//
//   |x_i - x_j|^2 = |q_i|^2 |h_i|^2 + |q_j|^2 |h_j|^2 - 2 <q_i, q_j> <h_i, h_j>     in K + D steps.

#include <vector>

#include <torch/types.h>

#include "active/strategy.h"
#include "base/random.h"

namespace distal {

/// softmax(logits) in float64 [M, K], K >= 2. Throws Error naming `strategy` and the first row that is not finite.
torch::Tensor checked_probabilities(const PoolScores& scores, const char* strategy);

/// embeddings [M, D] as they are. Throws Error naming `strategy`: absent, or the first row that is not finite.
torch::Tensor checked_embeddings(const PoolScores& scores, const char* strategy);

/// labelled_embeddings [L, D], empty where undefined. Throws Error: another D than the pool's, or not finite.
torch::Tensor checked_labelled_embeddings(const PoolScores& scores, const char* strategy);

/// The index of the largest value of [M], at random where several are largest.
int64_t largest_row(const torch::Tensor& values, Random& random);

/// An index of [M] drawn with probability proportional to `weights` (below 0 counts as 0); -1 where all are 0.
int64_t draw_row(const torch::Tensor& weights, Random& random);

class NearestCentre {
 public:
  using Factors = std::vector<torch::Tensor>;  // each [M, *], floating point; one factor: the points themselves

  explicit NearestCentre(Factors points);
  /// Squared distance to the nearest centre [M]; infinite before the first centre, -1 where the row itself is one.
  const torch::Tensor& squared_distance() const { return nearest_; }
  const torch::Tensor& squared_norm() const { return squared_norm_; }  // [M]
  /// Makes a row of the pool a centre. O(M (K + D)).
  void add_row(int64_t row);
  /// Centres from outside the pool, with the same factors [L, *]; in blocks of at most 8192 x 256 distances.
  void add(const Factors& centres);

 private:
  Factors points_;
  torch::Tensor squared_norm_, nearest_;
};

}  // namespace distal
