#pragma once
// Embeddings of clips by the student that last scored a pool, kept for a map of them. A run writes
// them, and a server reads them. FOLDER/ARM.map.json names the clips; FOLDER/ARM.map-ROUND.npy
// holds a row for each.

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

struct PoolMap {
  static constexpr int64_t kMostRows = 5000;

  struct Row {
    std::string clip;   // Clip::key()
    std::string video;  // path
    double start_s = 0;
    double end_s = 0;  // infinity: to the end of the video
  };
  std::string arm;
  int64_t seed = 0;
  int64_t round = 0;         // for which the student chose
  int64_t total = 0;         // clips that could have had a row
  std::vector<Row> rows;     // M, at most kMostRows
  torch::Tensor embeddings;  // [M, D]; in the file float16
};

/// In place of an older one of the arm. Throws Error: the folder cannot be written.
void write_pool_map(const std::string& folder, const PoolMap& map);

/// The file of the map that was written last in a folder; empty: there is none.
std::string newest_pool_map(const std::string& folder);
/// Embeddings as float32, in memory. Throws Error: it is none, or not whole.
PoolMap read_pool_map(const std::string& path);

}  // namespace distal
