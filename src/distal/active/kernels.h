#pragma once
// What the strategies share: checked scores, and what they compute of a pool in memory that is
// linear in it: distances to the nearest neighbours, greedy choice by gain; distances to a growing
// set of centres are in nearest_centre.h. Tables of distances are made and used block by block.
// Everything here is a pure function of its arguments.

#include <functional>
#include <limits>
#include <vector>

#include <torch/types.h>

#include "distal/active/nearest_centre.h"
#include "distal/active/strategy.h"
#include "distal/base/random.h"

namespace distal {

/// softmax(logits) in float64 [M, K], K >= 2, of rows begin to end alone. Throws Error naming
/// `strategy` and the first row that is not finite.
torch::Tensor checked_probabilities(const PoolScores& scores, const char* strategy,
                                    int64_t begin = 0,
                                    int64_t end = std::numeric_limits<int64_t>::max());

/// embeddings [M, D] as they are. Throws Error naming `strategy`: absent, or the first row that is
/// not finite.
torch::Tensor stored_embeddings(const PoolScores& scores, const char* strategy);
/// The same, bfloat16 widened to float32.
torch::Tensor checked_embeddings(const PoolScores& scores, const char* strategy);

/// labelled_embeddings [L, D] in the type of checked_embeddings, empty where undefined. Throws
/// Error: another D than the pool's, or not finite.
torch::Tensor checked_labelled_embeddings(const PoolScores& scores, const char* strategy);

/// The passes one by one, [M, K] logits each, as they are. Throws Error naming `strategy`: fewer
/// than 2, or the first row of a pass that is not finite.
std::vector<torch::Tensor> checked_passes(const PoolScores& scores, const char* strategy);

/// The teacher's probabilities in float64 [M, K]. Throws Error naming `strategy`: absent, another
/// shape than the logits', the first row that is not finite.
torch::Tensor checked_teacher(const PoolScores& scores, const char* strategy);

/// -sum_c p_c log p_c of each row, in nats; 0 log 0 = 0.
torch::Tensor entropy_of(const torch::Tensor& p);

/// H(mean_p p^p) - mean_p H(p^p) of each row, float64 [M]: the mutual information of the answer and
/// the pass; at most 1e-15 below 0.
torch::Tensor mutual_information(const std::vector<torch::Tensor>& passes);

/// a b^T of a [m, D] and b [n, D], of one dtype. In float32 by oneDNN, which on some processors is
/// twice as fast as LibTorch's own product (bench/README.md). A row's last bits depend on how many
/// rows go together.
torch::Tensor products(const torch::Tensor& a, const torch::Tensor& b);

/// Rows scaled to length 1; a row of zeros stays.
torch::Tensor unit_length(const torch::Tensor& points);

/// Squared distances of each row to its `count` nearest other rows [n, min(count, n - 1)], nearest
/// first. O(n^2 D) time.
torch::Tensor neighbour_distances(const torch::Tensor& points, int64_t count);

/// Density 1 / mean distance to the `neighbours` nearest other rows, [n]; `as_published`: 1 / (mean
/// squared distance + 1e-5).
torch::Tensor typicality(const torch::Tensor& points, int64_t neighbours, bool as_published);

/// The row of the largest typicality, the first of equal ones: without the nearest neighbours of
/// every row. O(n^2 D) time, a few tables of 8 MiB.
int64_t most_typical(const torch::Tensor& points, int64_t neighbours, bool as_published);

/// Rows of 0 .. pool-1 by greedy gain, equal gains by the lower row. `gains(rows)`, float64 [rows]:
/// what each of some rows would add now; it never grows as more is taken (a submodular value), so
/// that only rows that may still be largest are computed again (M. Minoux, Accelerated greedy
/// algorithms for maximizing submodular set functions, 1978). `take`: called with each row that was
/// chosen.
std::vector<int64_t> lazy_greedy(
    int64_t pool, int64_t count,
    const std::function<torch::Tensor(const torch::Tensor& rows)>& gains,
    const std::function<void(int64_t row)>& take);

inline constexpr int64_t kBlockRows =
    8192;  // 8 MiB of float32 beside 256 others: stays in the cache of a core

/// Uninitialised, of the sizes and type of `like`, contiguous; from 64 MiB on in pages of 2 MiB
/// where the system has them, for which it is asked a five-hundredth as often.
torch::Tensor in_large_pages(const torch::Tensor& like);

/// Calls with the bounds [begin, end) of blocks of at most `size` rows.
void by_blocks(int64_t rows, int64_t size,
               const std::function<void(int64_t begin, int64_t end)>& work);

/// Greedy k-center: `count` rows, int64 [count], each the farthest from all labelled and chosen
/// ones; without labelled clips the first is drawn at random. `normalize`: of features scaled to
/// length 1. At most twice the radius of the best cover. O(M (L + B) D) time at worst, O(M) memory
/// beside the embeddings; most distances are never computed (nearest_centre.h), the rows are those
/// of the plain loop. Throws Error naming `strategy`: embeddings absent or not finite.
torch::Tensor farthest_first(const PoolScores& scores, int64_t count, bool normalize, Random random,
                             const char* strategy);

/// 0 .. n-1 in random order, int64: strategies that choose sets look at the pool in such an order,
/// so that equal clips come at random.
torch::Tensor shuffled_rows(int64_t n, Random& random);

/// The index of the largest value of [M], at random where several are largest.
int64_t largest_row(const torch::Tensor& values, Random& random);

/// An index of [M] drawn with probability proportional to `weights` (below 0 counts as 0); -1 where
/// all are 0.
int64_t draw_row(const torch::Tensor& weights, Random& random);

}  // namespace distal
