#pragma once
// Reads the sampled frames of clips through the frame cache. A video that cannot be read goes into
// the quarantine of the reader. Later reads of its clips fail at once. Thread-safe.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/nouns.h"
#include "distal/data/frame_cache.h"
#include "distal/data/frame_view.h"
#include "distal/data/sampling.h"
#include "distal/lists/quarantine.h"
#include "distal/video/probe.h"

namespace distal {

class OptionVisitor;
class Random;

struct InputOptions {
  SamplingOptions sampling;
  int64_t size_px = 96;       // the network's square input
  int64_t short_side_px = 0;  // short side of cached frames; 0: size_px * 8 / 7
  double deadline_s = 10;     // per clip; a video that takes longer goes into quarantine
  void visit(OptionVisitor& v) const;
  bool operator==(const InputOptions&) const = default;
  int64_t cached_short_side_px() const;
  /// Whether the training frames of so many clips fit into half of the cache, for pictures of 4 :
  /// 3. False if training may draw any frame.
  bool training_frames_fit(double clips, const CacheOptions& cache) const;
};

/// Keeps probes in memory and in the folder `probes/` of the cache. A probe is valid while the size
/// and the modification time of the video file are unchanged.
class ClipReader {
 public:
  /// Throws CacheError: the folder of the cache is not writable.
  ClipReader(InputOptions options, const CacheOptions& cache);
  ~ClipReader();
  /// Throws Error as distal::probe does.
  VideoInfo probe(const std::string& path);
  /// The sampled frames of a clip at the cached size, without a copy. With `random`, frames are
  /// jittered for training. With null, they are the centres. With `training`, a cache miss decodes
  /// every frame that training may draw. Throws Error and puts the video into quarantine:
  /// unreadable, deadline, out of memory, or another content than clip.video_id. Throws Error at
  /// once, with the first reason, if the video is in quarantine. Throws CacheError, which must stop
  /// the run. A mix or a view (data/derived_view.h) has the same frames in every call. A mix uses
  /// centre frames. The key of a view determines its jitter and crop.
  FrameView view(const Clip& clip, Random* random, bool training);
  struct Ahead {
    const Clip* clip;
    bool training = false;
  };
  /// Decodes the centre frames of filmed clips of one video into the cache. With `training` it also
  /// decodes the frames that training may draw. It makes one pass over the video, of at most
  /// deadline_s. It then reads missing centre frames clip by clip. Throws as `view` does.
  void read_ahead(std::span<const Ahead> clips);
  /// The frames of `view` as a tensor uint8 [T, H, W, 3].
  torch::Tensor read(const Clip& clip, Random* random, bool training);
  /// The videos that could not be read, in the order of discovery.
  std::vector<Quarantined> quarantined() const;
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
