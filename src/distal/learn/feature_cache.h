#pragma once
// Features of clips on disk: what a frozen network of others gives for each. One file holds those
// of one network and one input (frame sampling and size). Runs, seeds, arms and processes share it.
//
// A row belongs to a clip, not to a frame. Clips hardly ever share frames, because the rules of
// sampling (data/sampling.h) spread the frames of a clip over its length, and a row of a clip is
// what training and scoring read.
//
// Values are stored in bf16, and those that were just computed are rounded as well. What comes back
// therefore does not depend on what was found. Rows are appended, each with a checksum. One process
// at a time computes and appends, under the lock of the file. Others wait, and then find its rows.
// A killed writer leaves whole rows, and the next one takes the rest away. A row that was damaged
// is computed again. The file is one of the frame cache: cache.gigabytes limits all of them
// together (data/cache_folder.h).

#include <cstdint>
#include <functional>
#include <string>

#include <torch/types.h>

#include "distal/data/clip_reader.h"

namespace distal {

class ForeignNetwork;
class Progress;

class FeatureCache {
 public:
  /// Of this network and what it sees of a clip. The folder is that of the cache.
  FeatureCache(const CacheOptions& cache, const ForeignNetwork& network, const InputOptions& input);

  struct Found {
    torch::Tensor values;  // float32 [M, D]
    torch::Tensor rows;    // int64 [M], rows of the clips that have some
    int64_t computed = 0;  // clips
    int64_t found = 0;     // clips
  };
  /// Stores the features float32 [N, D] of the clips at `rows`, int64 [N].
  using Store = std::function<void(const torch::Tensor& rows, const torch::Tensor& features)>;
  /// Computes the features of clips, part by part. A clip that it stores nothing for is unreadable.
  using Compute = std::function<void(const ClipRefs& missing, const Store& store)>;
  /// The features of the clips. `compute` is called once with those that are not on disk, if any.
  /// Throws CacheError: the folder is not writable, the disk is full; Interrupted; what `compute`
  /// throws.
  Found features(const ClipRefs& clips, const Compute& compute, Progress& progress);

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  CacheOptions cache_;
  int64_t width_;
};

}  // namespace distal
