#pragma once
// The frame cache keeps decoded frames on disk. There is one sparse file for each video hash and
// short side. It has a slot and a checksum for each frame. Files are mapped into memory, so a hit
// needs no copy.
//
// Runs and processes share the cache. A writer holds the lock of the file, and writes a checksum
// after its frame. A checksum of 0 means that the frame is absent. A slot is compared with its
// checksum once per mapping of its file. A frame that was damaged on disk is decoded again. A slot
// contains only its own frame. If a damaged frame is replaced by an earlier one, that is not
// stored, and each process decodes it again.
//
// Above the size limit, the least recently used files are removed, including stored probes.
// Existing views stay valid. FrameCache is thread-safe.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "distal/data/frame_view.h"
#include "distal/video/probe.h"

namespace distal {

class OptionVisitor;

struct CacheOptions {
  std::string folder;    // empty: ~/.cache/distal/frames (XDG_CACHE_HOME)
  double gigabytes = 8;  // byte cap, 1e9 bytes each
  void visit(OptionVisitor& v) const;
  bool operator==(const CacheOptions&) const = default;
  std::string resolved_folder() const;  // `folder`, or the default
  std::string probes_folder() const;    // within it
};

class FrameCache {
 public:
  /// Creates the folder. Throws CacheError.
  explicit FrameCache(const CacheOptions& options);
  ~FrameCache();
  /// The frames `indices`, in this order. On a miss, one pass over the video of at most
  /// `deadline_s` also decodes the frames `also`, and stores all of them. Failures of this pass are
  /// ignored. Frames of `indices` that are still missing are then decoded alone, within
  /// `deadline_s`. If another process holds the lock of the file for this time, the frames are
  /// decoded without the cache. Throws Error: unreadable video, deadline. Throws CacheError: disk
  /// full.
  FrameView read(const VideoInfo& info, std::span<const int64_t> indices,
                 std::span<const int64_t> also, int64_t short_side_px, double deadline_s);
  /// Decodes and stores the missing frames of `indices`, in one pass of at most `deadline_s`. Does
  /// nothing if another process holds the lock of the file for this time. Throws CacheError as
  /// `read` does. Leaves errors of the video to a later `read`.
  void read_ahead(const VideoInfo& info, std::span<const int64_t> indices, int64_t short_side_px,
                  double deadline_s);
  /// `hits` counts the calls of `read` that found every frame, `misses` those that had to decode.
  struct Counts {
    int64_t hits = 0;
    int64_t misses = 0;
    int64_t decoded_frames = 0;
    double decode_s = 0;
  };
  Counts counts() const;
 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
