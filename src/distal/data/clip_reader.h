#pragma once
// Reads clips: probe, sampling, frame cache; and keeps the quarantine: a video that failed once is
// not tried again, whoever asks and for whichever of its clips. Thread-safe.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/frame_cache.h"
#include "distal/data/frame_view.h"
#include "distal/data/sampling.h"
#include "distal/lists/quarantine.h"
#include "distal/video/probe.h"

namespace distal {

struct InputOptions {
  SamplingOptions sampling;
  int64_t size_px = 96;       // the network's square input
  int64_t short_side_px = 0;  // of cached frames; 0: size_px * 8 / 7
  double deadline_s = 10;     // per clip; past it the video is quarantined
  void visit(OptionVisitor& v) const;
  bool operator==(const InputOptions&) const = default;
  int64_t cached_short_side_px() const;
  /// Whether what training may ask of so many clips (pictures of 4 : 3) fills no more than half of
  /// the cache; false where that is any frame.
  bool training_frames_fit(double clips, const CacheOptions& cache) const;
};

/// Probes are kept in memory, and in `probes/` of the cache's folder, valid while size and time of
/// the video file stand.
class ClipReader {
 public:
  /// Throws CacheError: folder cannot be written.
  ClipReader(InputOptions options, CacheOptions cache);
  ~ClipReader();
  /// Throws Error as distal::probe does.
  VideoInfo probe(const std::string& path);
  /// The clip's frames at the cached size, where they lie in the cache. `random`: jitter, for
  /// training; null: centres. `training`: a miss decodes every frame that training may ask for.
  /// Throws Error, and the video is in quarantine from then on: unreadable, deadline, no memory,
  /// the file is no longer the one of clip.video_id; at once, with the first reason, where it is
  /// there already. Throws CacheError: the run must stop. What is made of filmed clips
  /// (data/derived_view.h) is the same in every call: a mix of centre frames, a view with jitter
  /// and a cut that its key decides.
  FrameView view(const Clip& clip, Random* random, bool training);
  struct Ahead {
    const Clip* clip;
    bool training = false;
  };
  /// Brings the centre frames of filmed clips of one video into the cache, and where `training`
  /// also those that training may ask for, in one pass over it as long as deadline_s lasts; centre
  /// frames that are missing then clip by clip. Throws as `view` does.
  void read_ahead(std::span<const Ahead> clips);
  /// The same as a tensor uint8 [T, H, W, 3].
  torch::Tensor read(const Clip& clip, Random* random, bool training);
  std::vector<Quarantined> quarantined()
      const;  // videos that `view` could not read, in the order of discovery
  const InputOptions& options() const;
  const CacheOptions& cache_options() const;
  using Counts = FrameCache::Counts;
  Counts counts() const;
 private:
  FrameView filmed_view(const Clip& clip, Random* random, bool training);
  template <class Reading>
  auto or_quarantine(const std::string& video, const Reading& reading);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
