#pragma once
// Frames on disk, decoded once: one sparse file per (video hash, short side) with a slot and a ready flag per frame, mapped
// into memory, so that a hit is a view without a copy. Shared by runs and processes (a writer holds the file's lock; a
// flag is set after its bytes). Files beyond the byte cap leave by least recent use; a file in use stays valid.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <torch/types.h>

#include "base/options.h"
#include "video/probe.h"

namespace distal {

struct CacheOptions {
  std::string folder = "";      // empty: ~/.cache/distal/frames (XDG_CACHE_HOME)
  double gigabytes = 8;         // byte cap
  void visit(OptionVisitor& v);
};

class FrameCache {
 public:
  explicit FrameCache(CacheOptions options);
  ~FrameCache();
  /// uint8 [T, H, W, 3] of the frames at `indices`; `also` are decoded in the same pass when a miss makes one necessary.
  /// Throws Error: unreadable video, deadline, disk full (message names folder and cure).
  torch::Tensor read(const VideoInfo& info, std::span<const int64_t> indices, std::span<const int64_t> also,
                     int64_t short_side_px, double deadline_s);
  struct Counts { int64_t hits = 0, misses = 0, decoded_frames = 0; double decode_s = 0; };
  Counts counts() const;
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
