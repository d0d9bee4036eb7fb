#include "distal/data/clip_reader.h"

#include <mutex>
#include <unordered_map>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/cache_error.h"
#include "distal/data/derived_view.h"
#include "distal/data/probe_cache.h"
#include "distal/lists/reading_video.h"

namespace distal {
namespace {

// at either half of them are forgotten; the disk copies remain
constexpr int64_t kMostProbes = 1024;
constexpr int64_t kMostProbeBytes = int64_t{256} << 20;

}  // namespace

void InputOptions::visit(OptionVisitor& v) const {
  v("sampling", sampling, "which frames of a clip the network sees");
  v("size_px", size_px, "side of the network's square input, px", between(8, 4096));
  v("short_side_px", short_side_px, "short side of cached frames, px; 0: 8/7 of size_px",
    between(0, 8192));
  v("deadline_s", deadline_s,
    "longest time to decode a clip, s; a video that takes longer is left out", Range{0.001});
}

int64_t InputOptions::cached_short_side_px() const {
  return short_side_px > 0 ? short_side_px : (size_px * 8 + 3) / 7;
}

bool InputOptions::training_frames_fit(double clips, const CacheOptions& cache) const {
  const auto side = static_cast<double>(cached_short_side_px());
  const double bytes =
      clips * static_cast<double>(sampling.frames * sampling.jitter_steps) * 4 * side * side;
  return bytes > 0 && bytes <= cache.gigabytes * 1e9 / 2;
}

struct ClipReader::State {
  State(InputOptions given, const CacheOptions& cache_options)
      : options(std::move(given)),
        cache(cache_options),
        frames(cache_options),
        stored(cache_options.probes_folder()) {}

  InputOptions options;
  CacheOptions cache;
  FrameCache frames;
  ProbeCache stored;
  Quarantine quarantine;
  std::mutex mutex;                                                          // guards what follows
  std::unordered_map<std::string, std::shared_ptr<const VideoInfo>> probes;  // by path
  int64_t probe_bytes = 0;

  std::shared_ptr<const VideoInfo> probe(const std::string& path) {
    {
      const std::lock_guard lock(mutex);
      const auto at = probes.find(path);
      if (at != probes.end()) return at->second;
    }
    return remember(path, std::make_shared<const VideoInfo>(probe_file(path)));
  }

  VideoInfo probe_file(const std::string& path) const {
    const auto stamp = FileStamp::of(path);
    if (!stamp) return distal::probe(path);  // says what is wrong
    if (auto known = stored.find(path, *stamp)) return *known;
    auto info = distal::probe(path);
    if (FileStamp::of(path) == stamp) stored.store(path, *stamp, info);
    return info;
  }

  static int64_t bytes_of(const VideoInfo& info) { return info.frames() * 17; }

  std::shared_ptr<const VideoInfo> remember(const std::string& path,
                                            std::shared_ptr<const VideoInfo> info) {
    const std::lock_guard lock(mutex);
    if (std::ssize(probes) >= kMostProbes || probe_bytes > kMostProbeBytes) {
      for (auto left = std::ssize(probes) / 2; left < std::ssize(probes);
           probes.erase(probes.begin()))
        probe_bytes -= bytes_of(*probes.begin()->second);
    }
    if (probes.insert_or_assign(path, info).second) probe_bytes += bytes_of(*info);
    return info;
  }

  std::shared_ptr<const VideoInfo> video_of(const Clip& clip) {
    auto info = probe(clip.video);
    if (!clip.video_id.empty() && clip.video_id != info->id) {
      fail("{}: the file is not the one that was listed ({} now, {} then), put the old file back "
           "or start a new run",
           clip.video, info->id, clip.video_id);
    }
    return info;
  }

  FrameView filmed_view(const Clip& clip, Random* random, bool training) {
    const auto info = video_of(clip);
    const auto indices = options.sampling.draw(*info, clip, random);
    const auto also = options.sampling.candidates(*info, clip, training);
    return frames.read(*info, indices, also, options.cached_short_side_px(), options.deadline_s);
  }

  void read_ahead(std::span<const Ahead> clips) {
    std::vector<int64_t> all, later;
    std::vector<size_t> begins;
    std::shared_ptr<const VideoInfo> info;
    for (const auto& [clip, training] : clips) {
      info = video_of(*clip);
      begins.push_back(all.size());
      const auto indices = options.sampling.draw(*info, *clip, nullptr);
      all.insert(all.end(), indices.begin(), indices.end());
      if (!training) continue;
      const auto candidates = options.sampling.candidates(*info, *clip, true);
      later.insert(later.end(), candidates.begin(), candidates.end());
    }
    begins.push_back(all.size());
    all.insert(all.end(), later.begin(), later.end());
    const std::span<const int64_t> indices = all;
    for (size_t i = 0; i < clips.size(); ++i)
      frames.read(*info, indices.subspan(begins[i], begins[i + 1] - begins[i]),
                  indices.subspan(begins[i + 1]), options.cached_short_side_px(),
                  options.deadline_s);
    frames.read_ahead(*info, later, options.cached_short_side_px(), options.deadline_s);
  }
};

ClipReader::ClipReader(InputOptions options, const CacheOptions& cache)
    : state_(std::make_unique<State>(std::move(options), cache)) {}
ClipReader::~ClipReader() = default;

VideoInfo ClipReader::probe(const std::string& path) { return *state_->probe(path); }

FrameView ClipReader::view(const Clip& clip, Random* random, bool training) {
  if (clip.filmed()) return filmed_view(clip, random, training);
  Clip filmed = clip;
  filmed.view = 0;
  filmed.mixed = nullptr;
  if (clip.mixed)
    return mix_views(view(filmed, nullptr, false), view(clip.mixed->other, nullptr, false),
                     clip.mixed->lambda, clip.mixed->fade);
  Random drawn = Random(fnv1a(clip.key())).stream("view");
  const Random cut = drawn.stream("cut");  // before the frames are drawn
  return cut_view(filmed_view(filmed, &drawn, training), cut);
}

template <class Reading>
auto ClipReader::or_quarantine(const std::string& video, const Reading& reading) {
  state_->quarantine.require_absent(video);
  try {
    return reading_video(video, reading);
  } catch (const CacheError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    state_->quarantine.add(video, error.what());
    throw;
  }
}

FrameView ClipReader::filmed_view(const Clip& clip, Random* random, bool training) {
  return or_quarantine(clip.video, [&] { return state_->filmed_view(clip, random, training); });
}

void ClipReader::read_ahead(std::span<const Ahead> clips) {
  if (clips.empty()) return;
  const Interned video = clips.front().clip->video;
  for (const auto& [clip, _] : clips)
    expect(clip->filmed() && clip->video == video,
           "filmed clips of one video are read ahead together");
  or_quarantine(video, [&] { return state_->read_ahead(clips); });
}

std::vector<Quarantined> ClipReader::quarantined() const { return state_->quarantine.list(); }

torch::Tensor ClipReader::read(const Clip& clip, Random* random, bool training) {
  return view(clip, random, training).tensor();
}

const InputOptions& ClipReader::options() const { return state_->options; }

const CacheOptions& ClipReader::cache_options() const { return state_->cache; }

ClipReader::Counts ClipReader::counts() const { return state_->frames.counts(); }

}  // namespace distal
