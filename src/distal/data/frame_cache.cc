#include "distal/data/frame_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <unordered_map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distal/base/error.h"
#include "distal/base/leftovers.h"
#include "distal/base/options.h"
#include "distal/data/cache_error.h"
#include "distal/data/cache_file.h"
#include "distal/data/cache_folder.h"
#include "distal/video/decoder.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using Indices = std::span<const int64_t>;
constexpr auto kTouchEvery = std::chrono::seconds(60);
constexpr int64_t kMostMaps = 8192;  // Linux allows 65,530 mappings a process
constexpr int64_t kMostViewed = int64_t{128}
                                << 20;  // bytes of mapped frames that were looked at; about twice
                                        // as many are resident: a page brings its neighbours
constexpr size_t kChunk = 16;           // frames decoded before they are written, when many are

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A video at one size, and where its frames are kept.
struct Place {
  const VideoInfo& info;
  Resize resize;
  double deadline_s;
  CacheShape shape;
  std::string path;
};

// A cache file being filled.
struct Filling {
  const Place& place;
  CacheMap& map;
  CacheWriter& writer;
  Decoder& decoder;
};

}  // namespace

void CacheOptions::visit(OptionVisitor& v) const {
  v("folder", folder, "folder of the decoded frames; empty: ~/.cache/distal/frames");
  v("gigabytes", gigabytes, "largest size of the cache, in 1e9 bytes", at_least(0));
}

std::string CacheOptions::resolved_folder() const {
  if (!folder.empty()) return folder;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
    return std::string(cache) + "/distal/frames";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == 0)
    throw CacheError("cache.folder: there is no home folder for the default, name a folder");
  return std::string(home) + "/.cache/distal/frames";
}

std::string CacheOptions::probes_folder() const { return resolved_folder() + "/probes"; }

struct FrameCache::State {
  State(std::string folder_path, int64_t cap_bytes) : folder(std::move(folder_path), cap_bytes) {}

  struct Open {
    std::shared_ptr<CacheMap> map;
    Clock::time_point touched{};
    Clock::time_point used{};
    int64_t viewed = 0;  // bytes, each look counted
  };

  mutable std::mutex mutex;  // guards everything below
  CacheFolder folder;
  std::unordered_map<std::string, Open> maps;  // by path
  std::unordered_map<std::string, std::unordered_map<int64_t, int64_t>>
      stand_ins;       // by path: damaged frame, the one shown instead
  int64_t viewed = 0;  // of all maps, at most
  Counts counts;

  Place place(const VideoInfo& info, Indices indices, int64_t short_side_px,
              double deadline_s) const;
  std::shared_ptr<CacheMap> map(const Place& place, bool anew);
  void reopen(const Place& place, Open& open);
  void make_room();
  std::vector<int64_t> shown(const Place& place, Indices indices) const;
  std::vector<int64_t> missing(const Place& place, CacheMap& map, Indices indices) const;
  std::shared_ptr<CacheMap> fill(const Place& place, Indices indices, Indices also);
  std::unique_ptr<CacheWriter> lock(const Place& place, std::shared_ptr<CacheMap>& mapped);
  void decode_ahead(const Filling& filling, Indices all);
  void decode(const Filling& filling, Indices missing, double budget_s);
  FrameView past_the_cache(const Place& place, Indices indices);
  void keep_to_cap(const std::string& just_written);
};

Place FrameCache::State::place(const VideoInfo& info, Indices indices, int64_t short_side_px,
                               double deadline_s) const {
  expect(!info.id.empty(), "the cache needs a probed video");
  for (const int64_t index : indices)
    expect(index >= 0 && index < info.frames(), "frame index within the video");
  const auto [height, width] = Resize{short_side_px}.apply(info.height, info.width);
  return {info,
          {short_side_px},
          deadline_s,
          {info.frames(), height, width},
          fmt::format("{}/{}_{}{}", folder.path(), info.id, short_side_px, kFramesEnding)};
}

// The mapped file, or null where it must be written first. `anew`: whatever was mapped, look what
// stands at the path.
std::shared_ptr<CacheMap> FrameCache::State::map(const Place& place, bool anew) {
  const std::lock_guard lock(mutex);
  make_room();
  Open& open = maps[place.path];
  open.used = Clock::now();
  if (anew || !open.map || open.used - open.touched > kTouchEvery) reopen(place, open);
  const auto map = open.map;
  if (!map) maps.erase(place.path);
  return map;
}

// Marks the file as used, and drops a mapping whose file is no longer the one at the path.
void FrameCache::State::reopen(const Place& place, Open& open) {
  struct stat file {};
  const bool there = utimensat(AT_FDCWD, place.path.c_str(), nullptr, 0) == 0 &&
                     stat(place.path.c_str(), &file) == 0;
  if (!there || !open.map || !open.map->is(file))
    open.map = there ? CacheMap::open(place.path, place.shape) : nullptr;
  open.touched = open.used;
}

// Unmaps an eighth of the idle files, the least recently used, where there are many or much of them
// was looked at.
void FrameCache::State::make_room() {
  if (std::ssize(maps) < kMostMaps && viewed < kMostViewed) return;
  std::vector<std::pair<Clock::time_point, std::string>> idle;
  for (const auto& [path, open] : maps) {
    if (open.map.use_count() == 1) idle.emplace_back(open.used, path);
  }
  std::sort(idle.begin(), idle.end());
  idle.resize((idle.size() + 7) / 8);
  for (const auto& [used, path] : idle) maps.erase(path);
  viewed = 0;
  for (const auto& [path, open] : maps) viewed += open.viewed;
}

// The frames whose pixels are shown at `indices`.
std::vector<int64_t> FrameCache::State::shown(const Place& place, Indices indices) const {
  std::vector<int64_t> all(indices.begin(), indices.end());
  const std::lock_guard lock(mutex);
  const auto known = stand_ins.find(place.path);
  if (known == stand_ins.end()) return all;
  for (int64_t& index : all) {
    if (const auto at = known->second.find(index); at != known->second.end()) index = at->second;
  }
  return all;
}

// Ascending, each once.
std::vector<int64_t> FrameCache::State::missing(const Place& place, CacheMap& map,
                                                Indices indices) const {
  std::vector<int64_t> all = shown(place, indices);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::erase_if(all, [&](int64_t index) { return map.ready(index); });
  return all;
}

FrameCache::FrameCache(const CacheOptions& options)
    : state_(std::make_unique<State>(options.resolved_folder(),
                                     static_cast<int64_t>(options.gigabytes * 1e9))) {
  const std::string& folder = state_->folder.path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || access(folder.c_str(), W_OK | X_OK) != 0) {
    throw CacheError(
        fmt::format("{}: not a folder that can be written, name another in cache.folder", folder));
  }
  clear_leftovers(options.probes_folder());
  clear_old_partials(options.probes_folder());
}

FrameCache::~FrameCache() = default;

FrameCache::Counts FrameCache::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

FrameView FrameCache::read(const VideoInfo& info, std::span<const int64_t> indices,
                           std::span<const int64_t> also, int64_t short_side_px,
                           double deadline_s) {
  expect(!indices.empty(), "the cache is asked for at least one frame");
  State& state = *state_;
  const Place place = state.place(info, indices, short_side_px, deadline_s);
  auto map = state.map(place, false);
  const bool hit = map && state.missing(place, *map, indices).empty();
  if (!hit) map = state.fill(place, indices, also);
  {
    const std::lock_guard lock(state.mutex);
    ++(hit ? state.counts.hits : state.counts.misses);
    const int64_t bytes = std::ssize(indices) * place.shape.frame_bytes();
    if (const auto open = state.maps.find(place.path); open != state.maps.end()) {
      open->second.viewed += bytes;
      state.viewed += bytes;
    }
  }
  if (!map) return state.past_the_cache(place, indices);
  FrameView view{{}, place.shape.height, place.shape.width, map};
  for (const int64_t index : state.shown(place, indices)) view.frames.push_back(map->frame(index));
  return view;
}

void FrameCache::read_ahead(const VideoInfo& info, std::span<const int64_t> indices,
                            int64_t short_side_px, double deadline_s) {
  if (indices.empty()) return;
  const Place place = state_->place(info, indices, short_side_px, deadline_s);
  const auto map = state_->map(place, false);
  const auto present = [&](int64_t index) { return map->present(index); };
  const auto shown = state_->shown(place, indices);
  if (!map || !std::all_of(shown.begin(), shown.end(), present)) state_->fill(place, {}, indices);
}

// The lock, and the file it locks mapped; null where another holds it too long.
std::unique_ptr<CacheWriter> FrameCache::State::lock(const Place& place,
                                                     std::shared_ptr<CacheMap>& mapped) {
  constexpr int kAttempts = 3;  // another may take the file away between the two steps
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto writer = CacheWriter::open(place.path, place.shape, place.deadline_s);
    if (!writer) return writer;
    mapped = map(place, true);
    if (mapped) return writer;
  }
  throw CacheError(
      fmt::format("{}: cannot be mapped into memory, name a folder on another disk in cache.folder",
                  place.path));
}

// Null where the frames must come past the cache. Without `indices`: what of `also` can be read.
std::shared_ptr<CacheMap> FrameCache::State::fill(const Place& place, Indices indices,
                                                  Indices also) {
  std::shared_ptr<CacheMap> filled;
  {
    const auto writer = lock(place, filled);
    if (!writer) return nullptr;
    auto needed = missing(place, *filled, indices);
    if (!needed.empty() || indices.empty()) {
      Decoder decoder(place.info, place.deadline_s);
      const Filling filling{place, *filled, *writer, decoder};
      std::vector<int64_t> all(indices.begin(), indices.end());
      all.insert(all.end(), also.begin(), also.end());
      all = missing(place, *filled, all);
      if (all.size() > needed.size()) {
        decode_ahead(filling, all);
        needed = missing(place, *filled, indices);
      }
      if (!needed.empty()) decode(filling, needed, place.deadline_s);
    }
    if (!missing(place, *filled, indices).empty()) {
      throw CacheError(fmt::format("{}: a frame just written cannot be read back, name a folder on "
                                   "another disk in cache.folder",
                                   place.path));
    }
  }
  keep_to_cap(place.path);
  return filled;
}

// What the clip needs now and what training may need later, in one pass. What fails here is asked
// for again when needed.
void FrameCache::State::decode_ahead(const Filling& filling, Indices all) {
  const auto began = Clock::now();
  try {
    for (size_t at = 0; at < all.size(); at += kChunk) {
      const double left_s = filling.place.deadline_s - seconds_since(began);
      if (left_s <= 0) return;
      decode(filling, all.subspan(at, std::min(kChunk, all.size() - at)), left_s);
    }
  } catch (const CacheError&) {
    throw;
  } catch (const Error&) {
  }
}

void FrameCache::State::decode(const Filling& filling, Indices missing, double budget_s) {
  const Place& place = filling.place;
  const auto began = Clock::now();
  const Frames got = filling.decoder.at_frames(missing, place.resize, budget_s);
  const double took_s = seconds_since(began);
  expect(got.frames.size(0) == std::ssize(missing) && got.frames.size(1) == place.shape.height &&
             got.frames.size(2) == place.shape.width,
         "the decoder returns the frames asked for");
  for (size_t i = 0; i < missing.size(); ++i) {
    if (filling.map.ready(got.shown[i])) continue;
    filling.writer.write(got.shown[i], got.frames.const_data_ptr<uint8_t>() +
                                           static_cast<int64_t>(i) * place.shape.frame_bytes());
  }
  const std::lock_guard lock(mutex);
  for (size_t i = 0; i < missing.size(); ++i) {
    if (got.shown[i] != missing[i]) stand_ins[place.path][missing[i]] = got.shown[i];
  }
  counts.decoded_frames += std::ssize(missing);
  counts.decode_s += took_s;
  folder.wrote(std::ssize(missing) * place.shape.frame_bytes());
}

FrameView FrameCache::State::past_the_cache(const Place& place, Indices indices) {
  const auto began = Clock::now();
  FrameView view = FrameView::of(Decoder(place.info, place.deadline_s)
                                     .at_frames(indices, place.resize, place.deadline_s)
                                     .frames);
  const std::lock_guard lock(mutex);
  counts.decoded_frames += std::ssize(indices);
  counts.decode_s += seconds_since(began);
  return view;
}

// A file whose frames are being looked at in this process stays, and so does the one just written.
// Maps of files that are gone, removed here or by others, are dropped: they hold the disk's space.
void FrameCache::State::keep_to_cap(const std::string& just_written) {
  const std::lock_guard lock(mutex);
  if (!folder.may_be_full()) return;
  folder.keep_to_cap([&](const std::string& path) {
    const auto open = maps.find(path);
    return path == just_written || (open != maps.end() && open->second.map.use_count() > 1);
  });
  std::erase_if(maps, [](const auto& row) {
    struct stat file {};
    return stat(row.first.c_str(), &file) != 0 || !row.second.map->is(file);
  });
}

}  // namespace distal
