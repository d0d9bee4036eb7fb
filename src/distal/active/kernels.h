#pragma once
// Functions that strategies share: checks of scores, distances to nearest neighbours, and greedy
// choice by gain. nearest_centre.h has distances to a growing set of centres. Memory is linear in
// the size of the pool, because tables of distances are computed block by block. All functions are
// pure. Letters: M clips of the pool, K classes, D features, L labelled clips.

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include <torch/types.h>

#include "distal/active/nearest_centre.h"
#include "distal/active/strategy.h"

namespace distal {

class Random;

/// The task's probabilities of the logits of the rows [begin, end) in float64 [rows, K], K >= 2.
/// Throws Error with `strategy` and the first row that is not finite.
torch::Tensor checked_probabilities(const PoolScores& scores, const char* strategy,
                                    int64_t begin = 0,
                                    int64_t end = std::numeric_limits<int64_t>::max());

/// The embeddings [M, D] in their own dtype. Throws Error with `strategy`: there are none, or the
/// first row that is not finite.
torch::Tensor stored_embeddings(const PoolScores& scores, const char* strategy);
/// Like stored_embeddings, with bfloat16 converted to float32.
torch::Tensor checked_embeddings(const PoolScores& scores, const char* strategy);

/// labelled_embeddings [L, D] in the dtype of checked_embeddings. Empty if undefined. Throws Error:
/// D differs from that of the pool, or a value is not finite.
torch::Tensor checked_labelled_embeddings(const PoolScores& scores, const char* strategy);

/// The logits [M, K] of each pass. Throws Error with `strategy`: fewer than 2 passes, or the first
/// row of a pass that is not finite.
std::vector<torch::Tensor> checked_passes(const PoolScores& scores, const char* strategy);

/// The probabilities of the teacher in float64 [M, K]. Throws Error with `strategy`: there are
/// none, their shape differs from that of the logits, or the first row that is not finite.
torch::Tensor checked_teacher(const PoolScores& scores, const char* strategy);

/// H(mean_p p^p) - mean_p H(p^p) of each row, float64 [M]: the mutual information of the answer and
/// the pass, with the entropy of the task. Rounding can make it negative, by at most 1e-15.
torch::Tensor mutual_information(const Task& task, const std::vector<torch::Tensor>& passes);

/// a b^T of a [m, D] and b [n, D], of the same dtype. float32 uses oneDNN, which on some processors
/// is twice as fast as the product of LibTorch (bench/README.md). The last bits of a row depend on
/// the number of rows in the call.
torch::Tensor products(const torch::Tensor& a, const torch::Tensor& b);

/// The rows scaled to length 1. A row of zeros stays 0.
torch::Tensor unit_length(const torch::Tensor& points);

/// Squared distances of each row to its `count` nearest other rows [n, min(count, n - 1)], nearest
/// first. O(n^2 D) time.
torch::Tensor neighbour_distances(const torch::Tensor& points, int64_t count);

/// Density 1 / mean distance to the `neighbours` nearest other rows, [n]; `as_published`: 1 / (mean
/// squared distance + 1e-5).
torch::Tensor typicality(const torch::Tensor& points, int64_t neighbours, bool as_published);

/// The row of the largest typicality, or the first such row. Does not compute the nearest
/// neighbours of every row. O(n^2 D) time, a few tables of 8 MiB.
int64_t most_typical(const torch::Tensor& points, int64_t neighbours, bool as_published);

/// Chooses rows of 0 .. pool-1 greedily by gain. Of equal gains the lower row wins. `gains(rows)`
/// returns the current gain of each given row, float64 [rows]. A gain must not grow when a row is
/// chosen (submodularity). Only rows that may still have the largest gain are therefore evaluated
/// again (M. Minoux, Accelerated greedy algorithms for maximizing submodular set functions, 1978).
/// `take` is called with each chosen row.
std::vector<int64_t> lazy_greedy(
    int64_t pool, int64_t count,
    const std::function<torch::Tensor(const torch::Tensor& rows)>& gains,
    const std::function<void(int64_t row)>& take);

// A float32 table of 8192 x 256 has 8 MiB and stays in the cache of a core.
inline constexpr int64_t kBlockRows = 8192;

/// An uninitialised contiguous tensor with the sizes and dtype of `like`. From 64 MiB on it uses
/// pages of 2 MiB, if the system has them. This gives about 500 times fewer page faults.
torch::Tensor in_large_pages(const torch::Tensor& like);

/// Calls `work` with the bounds [begin, end) of consecutive blocks of at most `size` rows.
void by_blocks(int64_t rows, int64_t size,
               const std::function<void(int64_t begin, int64_t end)>& work);

/// Greedy k-center. Chooses `count` rows, int64 [count], each the farthest from all labelled and
/// chosen rows. Without labelled clips, the first row is random. `normalize` scales features to
/// length 1. The radius is at most twice that of the best cover. Takes O(M (L + count) D) time at
/// worst, and O(M) memory beside the embeddings. Most distances are not computed
/// (nearest_centre.h), but the result equals that of the plain loop. Throws Error with `strategy`:
/// there are no embeddings, or a value is not finite.
torch::Tensor farthest_first(const PoolScores& scores, int64_t count, bool normalize, Random random,
                             const char* strategy);

/// 0 .. n-1 in random order, int64. Set strategies process the pool in this order, which breaks
/// ties at random.
torch::Tensor shuffled_rows(int64_t n, Random& random);

/// The index of the largest value of [M]. Ties are broken at random.
int64_t largest_row(const torch::Tensor& values, Random& random);

/// An index of [M] drawn with probability proportional to `weights` (below 0 counts as 0); -1 where
/// all are 0.
int64_t draw_row(const torch::Tensor& weights, Random& random);

}  // namespace distal
