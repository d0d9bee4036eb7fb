#pragma once
// Distances from every point to the nearest of a growing set of centres, for greedy k-center and
// k-means++. The distances are exact and computed lazily. The distance to the nearest centre never
// grows. A distance to fewer centres is therefore an upper bound. A point whose bound cannot win is
// not evaluated (the idea of M. Minoux's accelerated greedy algorithm, 1978, and of C. Elkan's
// k-means, ICML 2003). A pick reads one number per point and updates only a few points.
//
// Points may be given as factors. With factors q [M, K] and h [M, D], the point of row i is the
// outer product q_i h_i of length K * D. The outer product is not computed, because <q_i h_i, q_j
// h_j> = <q_i, q_j> <h_i, h_j> gives
//
//   |x_i - x_j|^2 = |q_i|^2 |h_i|^2 + |q_j|^2 |h_j|^2 - 2 <q_i, q_j> <h_i, h_j>     in K + D steps.
//
// With one factor, squared differences are summed, so points far from the origin do not suffer from
// cancellation.

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace distal {

class Random;

class NearestCentre {
 public:
  using Factors = std::vector<torch::Tensor>;  // each [M, *]: float32, float64, or bfloat16
                                               // (computed in float32)

  /// Does not copy the points. Needs 20 further bytes per point. `unit` scales points to length 1
  /// (only with one factor). A point of zeros stays 0.
  explicit NearestCentre(Factors points, bool unit = false);

  int64_t size() const { return static_cast<int64_t>(bound_.size()); }
  /// Makes a row of the pool a centre. O(K + D).
  void add_row(int64_t row);
  /// Adds centres that are not rows of the pool, with the same factors [L, *], of any floating
  /// dtype.
  void add(const Factors& centres);

  /// The row with the largest distance to its nearest centre. Ties are broken at random. Without
  /// centres, a random row. -1 if all rows are centres.
  int64_t farthest(Random& random);
  /// Draws a row with probability proportional to weight * squared distance, or to the weight
  /// without centres. `weights` is [M], >= 0. Undefined weights are all 1. If all products are 0,
  /// any row that is not a centre. -1 if all rows are centres. Each row has an exponential variable
  /// with the rate weight * squared distance, and the smallest variable wins. Its random number
  /// depends only on the draw and the row, so a loop that computes every distance draws the same
  /// rows.
  int64_t draw(Random& random, const torch::Tensor& weights = {});

  /// The squared distance of every row to its nearest centre, float64 [M]. Infinite without
  /// centres, -1 for a row that is a centre.
  torch::Tensor squared_distance();
  torch::Tensor squared_norm() const;  // float64 [M]

 private:
  struct Arithmetic;  // for the type of the points
  double distance(int64_t row, int64_t centre) const;
  bool up_to_date(int64_t row, double enough);
  template <class Value>
  int64_t best(const Value& value, double least, Random& random) const;

  static const Arithmetic& arithmetic_of(const torch::Tensor& points);
  static double norm(const torch::Tensor& points, int64_t row);
  double norm(int64_t row) const;

  Factors points_, centres_;                   // the centres grow by doubling
  std::vector<const Arithmetic*> arithmetic_;  // of each factor
  bool unit_;
  int64_t count_ = 0;  // of centres
  std::vector<double> bound_,
      scale_;  // scale: of a unit point 1 / length, with several factors the squared norm
  std::vector<double> centre_norm_;  // of points that are not unit ones
  std::vector<int32_t> seen_;        // how many centres the bound knows
};

}  // namespace distal
