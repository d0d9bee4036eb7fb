#pragma once
// Embeddings of the rows of a list by a network from elsewhere, as a study computes them.

#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/data/clip_reader.h"
#include "distal/lists/lists.h"
#include "distal/networks/network.h"

namespace distal {

class Progress;

/// float32 [M, D], a row for each of `rows`, whose paths are relative to `folder`. The cache holds
/// what a study of the same network and input has computed, and the other way round. Throws Error:
/// as open_network; a row without a clip that can be read.
torch::Tensor embed_rows(const std::vector<Row>& rows, const std::string& folder,
                         const NetworkOptions& network, const InputOptions& input,
                         const CacheOptions& cache, Progress& progress);

}  // namespace distal
