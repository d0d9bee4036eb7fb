#pragma once
// How far every point lies from the nearest of a growing set of centres, for greedy k-center and
// k-means++: exact, and lazy. A distance to the nearest centre only ever falls, so what was
// computed against fewer centres is an upper bound, and a point whose bound cannot win needs no
// more (the idea of M. Minoux's accelerated greedy algorithm, 1978, and of C. Elkan's k-means, ICML
// 2003). A pick is then one look at a number a point, and a few points brought up to date, instead
// of a pass over all of them.
//
// A point may be given in factors: with factors q [M, K] and h [M, D] the point of row i is the
// outer product q_i h_i, of length K * D, which is never built. Since <q_i h_i, q_j h_j> = <q_i,
// q_j> <h_i, h_j>,
//
//   |x_i - x_j|^2 = |q_i|^2 |h_i|^2 + |q_j|^2 |h_j|^2 - 2 <q_i, q_j> <h_i, h_j>     in K + D steps.
//
// With one factor differences are summed: points far from the origin lose nothing to cancellation.

#include <vector>

#include <torch/types.h>

#include "distal/base/random.h"

namespace distal {

class NearestCentre {
 public:
  using Factors = std::vector<torch::Tensor>;  // each [M, *]: float32, float64, or bfloat16
                                               // (computed in float32)

  /// The points are used where they lie, 20 bytes a point are kept beside them. `unit`: as if
  /// scaled to length 1 (one factor only), a point of zeros stays.
  explicit NearestCentre(Factors points, bool unit = false);

  int64_t size() const { return static_cast<int64_t>(bound_.size()); }
  /// Makes a row of the pool a centre. O(K + D).
  void add_row(int64_t row);
  /// Centres from outside the pool, with the same factors [L, *], of any floating type.
  void add(const Factors& centres);

  /// The row farthest from all centres, at random among equally far ones; any row before the first
  /// centre. -1: all are centres.
  int64_t farthest(Random& random);
  /// A row drawn with probability proportional to weights * squared distance (to weights alone
  /// before the first centre; weights [M], >= 0, undefined: all 1), any other row where all of that
  /// is 0. -1: all are centres. Row i has an exponential clock of rate weight * squared distance
  /// and the first to ring is drawn; the clock's number depends on the draw and on i alone, so that
  /// a loop that computes every distance draws the same rows.
  int64_t draw(Random& random, const torch::Tensor& weights = {});

  /// Float64 [M] to the nearest centre, every row brought up to date; infinite before the first
  /// centre, -1 where the row itself is one.
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
