#pragma once
// Clusterings of a pool that keep no table of distances: k-means, and average linkage. Pure
// functions of their arguments.

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace distal {

class Random;

struct Clusters {
  torch::Tensor centres;  // [k, D], as the points
  torch::Tensor of_row;   // int64 [n], the nearest centre of each point
};

/// k-means of points [n, D] with weights [n] (0 or more, float64): k-means++ seeds (Arthur,
/// Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007), then Lloyd's steps
/// until nothing moves or `iterations` are done. A centre that loses all its points stays where it
/// is. `fixed` [f, D]: centres that are there from the start, come first and never move. k = f +
/// min(count, n). O(iterations n k D) time, O(n + k D) memory beside a copy of the points.
Clusters k_means(const torch::Tensor& points, const torch::Tensor& weights, int64_t count,
                 const torch::Tensor& fixed, int64_t iterations, Random& random);

/// A point for each of `count` clusters of k_means: the one nearest to the centre that no other
/// cluster took; clusters of the largest weight first. Clusters around `fixed` give none.
torch::Tensor one_per_cluster(const torch::Tensor& points, const torch::Tensor& weights,
                              int64_t count, const torch::Tensor& fixed, int64_t iterations,
                              Random& random);

/// Average linkage of points [n, D] of length 1 under the cosine distance 1 - <x, y>: the two
/// clusters of the smallest mean distance are merged, while more than `clusters` are left and that
/// distance is at most `epsilon`. The mean over all pairs is 1 - <mean x, mean y>, so the means are
/// all that is kept; nearest-neighbour chains (F. Murtagh, A survey of recent advances in
/// hierarchical clustering algorithms, The Computer Journal 1983) give the exact tree. O(n^2 D)
/// time, O(n D) memory. Returns the cluster of each point, numbered from 0 in the order of their
/// first points.
std::vector<int64_t> average_linkage(const torch::Tensor& points, int64_t clusters, double epsilon);

}  // namespace distal
