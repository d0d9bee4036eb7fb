#pragma once
// Embeddings in few dimensions.

#include <cstdint>
#include <functional>
#include <optional>

#include <torch/types.h>

namespace distal::serve {

/// Scores of the rows on their first principal components, float32 [M, count], by subspace
/// iteration: N. Halko, P. G. Martinsson, J. A. Tropp, SIAM Review 53(2), 2011, algorithm 4.4. The
/// largest absolute score of a component is positive. Components that are not there are 0. `rows`:
/// float32 [M, D], M > 0. The same rows give the same scores.
torch::Tensor principal_components(const torch::Tensor& rows, int64_t count);

/// Whether the build has UMAP (cmake/setup.sh fetches it).
bool has_umap();
/// Fewest rows that umap() takes.
inline constexpr int64_t kFewestForUmap = 20;
/// float32 [M, 2], by UMAP with 15 neighbours and a least distance of .1: L. McInnes, J. Healy, J.
/// Melville, arXiv:1802.03426. Takes some 20 s for 5,000 rows of 64. Nothing: `stop`, asked now and
/// then, said so. `rows`: float32 [M, D]. One thread; the same rows give the same result.
std::optional<torch::Tensor> umap(const torch::Tensor& rows, const std::function<bool()>& stop);

}  // namespace distal::serve
