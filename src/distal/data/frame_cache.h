#pragma once
// Frames on disk, decoded once: one sparse file per (video hash, short side) with a slot and a
// checksum per frame, mapped into memory, so that a hit is a view without a copy. Shared by runs
// and processes: a writer holds the file's lock, and a checksum is stored after its frame; 0 means
// absent. Each slot is checked against its checksum once as long as its file stays mapped, so a
// frame spoiled on disk is decoded again. A slot holds its own frame and no other: where a damaged
// frame is shown as an earlier one, each process learns that anew. Beyond the byte cap files leave
// by least recent use, the records of probes among them; a view stays valid. FrameCache is
// thread-safe.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/data/frame_view.h"
#include "distal/video/probe.h"

namespace distal {

struct CacheOptions {
  std::string folder = "";  // empty: ~/.cache/distal/frames (XDG_CACHE_HOME)
  double gigabytes = 8;     // byte cap, 1e9 bytes each
  void visit(OptionVisitor& v) const;
  bool operator==(const CacheOptions&) const = default;
  std::string resolved_folder() const;  // `folder`, or the default
  std::string probes_folder() const;    // within it
};

/// The cache folder is at fault (disk full, not writable), not the video: stops a run instead of
/// quarantining the video.
class CacheError : public Error {
 public:
  using Error::Error;
};

class FrameCache {
 public:
  /// Makes the folder. Throws CacheError.
  explicit FrameCache(CacheOptions options);
  ~FrameCache();
  /// The frames at `indices`, in that order. When a miss makes a pass over the video necessary, it
  /// takes `also` with it and stores frames as they come; it may last `deadline_s`, and what fails
  /// there is tried again when it is needed. `indices` still missing then are decoded alone within
  /// `deadline_s`. Where another holds the file's lock that long, the frames come past the cache.
  /// Throws Error: unreadable video, deadline; CacheError: disk full (message names folder and
  /// cure).
  FrameView read(const VideoInfo& info, std::span<const int64_t> indices,
                 std::span<const int64_t> also, int64_t short_side_px, double deadline_s);
  /// Stores what is missing of `indices`, in one pass of at most `deadline_s`; nothing where
  /// another holds the file's lock that long. Throws as `read`, but what fails within the video is
  /// left to it.
  void read_ahead(const VideoInfo& info, std::span<const int64_t> indices, int64_t short_side_px,
                  double deadline_s);
  /// hits and misses: calls of `read` that found every frame, and that had to decode.
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
