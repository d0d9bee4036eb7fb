#include "data/frame_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <unordered_map>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/cache_file.h"
#include "video/decoder.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTouchEvery = std::chrono::seconds(60);
constexpr int64_t kMostMaps = 8192;  // Linux allows 65,530 mappings a process
constexpr const char* kEnding = ".frames";

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct File {
  std::string path;
  int64_t bytes;
  struct timespec used;
};

std::vector<File> files_by_use(const std::string& folder) {
  std::vector<File> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    struct stat file{};
    if (entry.path().extension() == kEnding && stat(entry.path().c_str(), &file) == 0) {
      files.push_back({entry.path().string(), file.st_blocks * 512, file.st_mtim});
    }
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  return files;
}

// Removes a file unless somebody is writing to it.
bool remove_idle(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool idle = flock(fd, LOCK_EX | LOCK_NB) == 0;
  const bool removed = idle && unlink(path.c_str()) == 0;
  close(fd);
  return removed;
}

}  // namespace

void CacheOptions::visit(OptionVisitor& v) {
  v("folder", folder, "where decoded frames are kept; empty: ~/.cache/distal/frames");
  v("gigabytes", gigabytes, "most bytes of decoded frames kept, in 1e9 bytes", at_least(0));
}

std::string CacheOptions::resolved_folder() const {
  if (!folder.empty()) return folder;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0) return std::string(cache) + "/distal/frames";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == 0) throw CacheError("cache.folder: there is no home folder for the default, name a folder");
  return std::string(home) + "/.cache/distal/frames";
}

struct FrameCache::State {
  struct Open {
    std::shared_ptr<CacheMap> map;
    Clock::time_point touched{};
  };

  std::string folder;
  int64_t cap_bytes = 0;
  mutable std::mutex mutex;  // guards everything below
  std::unordered_map<std::string, Open> maps;  // by path
  int64_t measured_bytes = -1;  // of the folder at the last look; -1: never looked
  int64_t written_bytes = 0;    // since then
  Counts counts;

  // The mapped file, or null where it must be written first. `anew`: whatever was mapped, look what stands at the path.
  std::shared_ptr<CacheMap> map(const std::string& path, const CacheShape& shape, bool anew) {
    const std::lock_guard lock(mutex);
    if (std::ssize(maps) >= kMostMaps) std::erase_if(maps, [](const auto& row) { return row.second.map.use_count() == 1; });
    Open& open = maps[path];
    if (anew || !open.map || Clock::now() - open.touched > kTouchEvery) reopen(path, shape, open);
    const auto map = open.map;
    if (!map) maps.erase(path);
    return map;
  }

  // Marks the file as used, and drops a mapping whose file is no longer the one at the path.
  void reopen(const std::string& path, const CacheShape& shape, Open& open) {
    struct stat file{};
    const bool there = utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0 && stat(path.c_str(), &file) == 0;
    if (!there || !open.map || !open.map->is(file)) open.map = there ? CacheMap::open(path, shape) : nullptr;
    open.touched = Clock::now();
  }

  std::shared_ptr<CacheMap> fill(const VideoInfo& info, const std::string& path, const CacheShape& shape, std::span<const int64_t> indices,
                                 std::span<const int64_t> also, int64_t short_side_px, double deadline_s);
  void decode(const VideoInfo& info, std::span<const int64_t> missing, CacheWriter& writer, const CacheShape& shape, int64_t short_side_px,
              double deadline_s);
  void keep_to_cap(const std::string& just_written);
};

FrameCache::FrameCache(CacheOptions options) : state_(std::make_unique<State>()) {
  state_->folder = options.resolved_folder();
  state_->cap_bytes = static_cast<int64_t>(options.gigabytes * 1e9);
  std::error_code error;
  std::filesystem::create_directories(state_->folder, error);
  if (error || access(state_->folder.c_str(), W_OK | X_OK) != 0) {
    throw CacheError(fmt::format("{}: not a folder that can be written, name another in cache.folder", state_->folder));
  }
}

FrameCache::~FrameCache() = default;

FrameCache::Counts FrameCache::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

FrameView FrameCache::read(const VideoInfo& info, std::span<const int64_t> indices, std::span<const int64_t> also,
                           int64_t short_side_px, double deadline_s) {
  expect(!info.id.empty() && !indices.empty(), "the cache needs a probed video and at least one frame");
  for (const int64_t index : indices) expect(index >= 0 && index < info.frames(), "frame index within the video");
  const auto [height, width] = Resize{short_side_px}.apply(info.height, info.width);
  const CacheShape shape{info.frames(), height, width};
  const auto path = fmt::format("{}/{}_{}{}", state_->folder, info.id, short_side_px, kEnding);
  auto map = state_->map(path, shape, false);
  const bool hit = map && std::all_of(indices.begin(), indices.end(), [&](int64_t i) { return map->ready(i); });
  if (!hit) map = state_->fill(info, path, shape, indices, also, short_side_px, deadline_s);
  {
    const std::lock_guard lock(state_->mutex);
    ++(hit ? state_->counts.hits : state_->counts.misses);
  }
  FrameView view{{}, height, width, map};
  for (const int64_t index : indices) view.frames.push_back(map->frame(index));
  return view;
}

std::shared_ptr<CacheMap> FrameCache::State::fill(const VideoInfo& info, const std::string& path, const CacheShape& shape,
                                                  std::span<const int64_t> indices, std::span<const int64_t> also,
                                                  int64_t short_side_px, double deadline_s) {
  std::shared_ptr<CacheMap> filled;
  {
    CacheWriter writer(path, shape);
    filled = map(path, shape, true);
    if (!filled) throw CacheError(fmt::format("{}: cannot be mapped into memory, name a folder on another disk in cache.folder", path));
    std::vector<int64_t> missing(indices.begin(), indices.end());
    missing.insert(missing.end(), also.begin(), also.end());
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    std::erase_if(missing, [&](int64_t i) { return filled->ready(i); });
    if (!missing.empty()) decode(info, missing, writer, shape, short_side_px, deadline_s);
    for (const int64_t index : indices) {
      if (filled->ready(index)) continue;
      throw CacheError(fmt::format("{}: a frame just written cannot be read back, name a folder on another disk in cache.folder", path));
    }
  }
  keep_to_cap(path);
  return filled;
}

void FrameCache::State::decode(const VideoInfo& info, std::span<const int64_t> missing, CacheWriter& writer, const CacheShape& shape,
                               int64_t short_side_px, double deadline_s) {
  const auto began = Clock::now();
  const auto frames = Decoder(info).at_frames(missing, {short_side_px}, deadline_s).frames.contiguous();
  const double took_s = seconds_since(began);
  expect(frames.size(0) == std::ssize(missing) && frames.size(1) == shape.height && frames.size(2) == shape.width,
         "the decoder returns the frames asked for");
  for (int64_t i = 0; i < std::ssize(missing); ++i) writer.write(missing[i], frames.const_data_ptr<uint8_t>() + i * shape.frame_bytes());
  const std::lock_guard lock(mutex);
  counts.decoded_frames += std::ssize(missing);
  counts.decode_s += took_s;
  written_bytes += std::ssize(missing) * shape.frame_bytes();
}

// Looks at the folder when it may be past the cap, and then makes a tenth of the cap free. A file whose frames are being
// looked at in this process stays, and so does the one just written.
void FrameCache::State::keep_to_cap(const std::string& just_written) {
  const std::lock_guard lock(mutex);
  const bool look = measured_bytes < 0 || measured_bytes + written_bytes > cap_bytes || written_bytes > cap_bytes / 16;
  if (!look) return;
  const auto files = files_by_use(folder);
  int64_t total = 0;
  for (const auto& file : files) total += file.bytes;
  if (total > cap_bytes) {
    for (const auto& file : files) {
      if (total <= cap_bytes - cap_bytes / 10) break;
      const auto open = maps.find(file.path);
      if (file.path == just_written || (open != maps.end() && open->second.map.use_count() > 1)) continue;
      if (!remove_idle(file.path)) continue;
      if (open != maps.end()) maps.erase(open);
      total -= file.bytes;
    }
  }
  measured_bytes = total;
  written_bytes = 0;
}

}  // namespace distal
