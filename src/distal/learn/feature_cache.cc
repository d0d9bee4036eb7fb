#include "distal/learn/feature_cache.h"

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ATen/ATen.h>

#include "distal/base/checksum.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/data/cache_error.h"
#include "distal/data/cache_folder.h"
#include "distal/networks/network.h"

namespace distal {
namespace {

// Layout, all little-endian: a header of 64 bytes, then rows: checksum of the rest of the row, hash
// of the clip's key, bf16 [D], zeros up to a multiple of eight bytes.
static_assert(std::endian::native == std::endian::little);
constexpr int64_t kHeaderSize = 64;
constexpr int64_t kRowHead = 16;

struct FileHeader {
  char magic[8] = {'D', 'S', 'T', 'L', 'F', 'T', 'R', '\n'};
  int64_t version = 1;  // raise it where the same clip has other pixels than before
  int64_t width = 0;
  int64_t unused[5] = {};
};
static_assert(sizeof(FileHeader) == kHeaderSize);

int64_t row_bytes(int64_t width) { return kRowHead + (2 * width + 7) / 8 * 8; }

uint64_t hash_of_key(const Clip& clip) { return mix64(fnv1a(clip.key())); }

[[noreturn]] void refuse_file(const std::string& path, int reason) {
  throw CacheError(fmt::format("{}: cannot be written ({}); free some space, or name another "
                               "folder in cache.folder",
                               path, std::strerror(reason)));
}

// The file, open and locked by this process alone.
class LockedFile {
 public:
  LockedFile(const std::string& path, int64_t width, Progress& progress)
      : path_(path), row_(row_bytes(width)) {
    header_.width = width;
    for (bool said = false; !lock();) {
      if (!said && busy_)
        progress.say("waiting: another process computes features that are needed here");
      said = said || busy_;
      check_interrupted();
      if (busy_) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  ~LockedFile() {
    if (file_ >= 0) ::close(file_);
  }
  LockedFile(const LockedFile&) = delete;

  /// Adds whole rows.
  void append(std::string_view rows) {
    if (::lseek(file_, 0, SEEK_END) < 0) refuse_file(path_, errno);
    while (!rows.empty()) {
      const ssize_t written = ::write(file_, rows.data(), rows.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) refuse_file(path_, written < 0 ? errno : ENOSPC);
      rows.remove_prefix(static_cast<size_t>(written));
    }
  }

 private:
  // False: another has it (busy_), or it must be tried again at once.
  bool lock() {
    if (file_ >= 0) ::close(file_);
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) refuse_file(path_, errno);
    busy_ = ::flock(file_, LOCK_EX | LOCK_NB) != 0;
    if (busy_ && errno != EWOULDBLOCK && errno != EINTR) refuse_file(path_, errno);
    if (busy_) return false;
    struct stat state {};
    if (::fstat(file_, &state) != 0) refuse_file(path_, errno);
    if (state.st_nlink == 0) return false;  // the cache was cleared meanwhile
    return made_whole(state.st_size);
  }

  // Takes away what a killed writer left behind the last whole row. A file of another layout is
  // unlinked, not emptied: somebody may have it mapped.
  bool made_whole(int64_t size) {
    FileHeader there;
    const bool ours = ::pread(file_, &there, kHeaderSize, 0) == kHeaderSize &&
                      std::memcmp(&there, &header_, kHeaderSize) == 0;
    if (!ours && size >= kHeaderSize) {
      if (::unlink(path_.c_str()) != 0 && errno != ENOENT) refuse_file(path_, errno);
      return false;
    }
    const int64_t whole = ours ? size - (size - kHeaderSize) % row_ : 0;
    if (whole != size && ::ftruncate(file_, whole) != 0) refuse_file(path_, errno);
    if (!ours) append({reinterpret_cast<const char*>(&header_), kHeaderSize});
    return true;
  }

  std::string path_;
  int64_t row_;
  FileHeader header_;
  int file_ = -1;
  bool busy_ = false;
};

// The rows of the file, as it is now.
class StoredRows {
 public:
  StoredRows(const std::string& path, int64_t width) : row_(row_bytes(width)), width_(width) {
    std::error_code absent;
    const auto size = std::filesystem::file_size(path, absent);
    if (absent || size < kHeaderSize) return;
    file_ = std::make_unique<MappedFile>(path);
    FileHeader header;
    header.width = width;
    const auto bytes = static_cast<int64_t>(file_->size());
    if (std::memcmp(file_->data(), &header, kHeaderSize) != 0) return;
    for (int64_t at = kHeaderSize; at + row_ <= bytes; at += row_) {
      if (sound(at)) places_[word(at + 8)] = at;
    }
  }

  /// Writes the features of a clip to float32 [D]. False: there are none.
  bool read(const Clip& clip, float* to) const {
    const auto at = places_.find(hash_of_key(clip));
    if (at == places_.end()) return false;
    const auto* stored =
        reinterpret_cast<const c10::BFloat16*>(file_->data() + at->second + kRowHead);
    std::copy(stored, stored + width_, to);
    return true;
  }

 private:
  uint64_t word(int64_t at) const {
    uint64_t value = 0;
    std::memcpy(&value, file_->data() + at, 8);
    return value;
  }
  bool sound(int64_t at) const {
    return word(at) == checksum({file_->data() + at + 8, static_cast<size_t>(row_ - 8)});
  }

  int64_t row_, width_;
  std::unique_ptr<MappedFile> file_;
  std::unordered_map<uint64_t, int64_t> places_;  // of rows, by hash of a clip's key
};

std::string row_of(const Clip& clip, const at::Tensor& rounded) {
  std::string row(static_cast<size_t>(row_bytes(rounded.numel())), '\0');
  const uint64_t key = hash_of_key(clip);
  std::memcpy(row.data() + 8, &key, 8);
  std::memcpy(row.data() + kRowHead, rounded.const_data_ptr(), rounded.nbytes());
  const uint64_t sum = checksum(std::string_view(row).substr(8));
  std::memcpy(row.data(), &sum, 8);
  return row;
}

// What changes the centre frames that a network sees of a clip.
std::string seen_of(const InputOptions& input) {
  return fmt::format("{} {} {} {} {}", input.sampling.rule, input.sampling.frames,
                     input.sampling.rule == "dense" ? input.sampling.stride : 0, input.size_px,
                     input.cached_short_side_px());
}

}  // namespace

FeatureCache::FeatureCache(const CacheOptions& cache, const ForeignNetwork& network,
                           const InputOptions& input)
    : cache_(cache), width_(network.width()) {
  const std::string folder = cache.resolved_folder() + "/features";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw CacheError(
        fmt::format("{}: not a folder that can be written, name another in cache.folder", folder));
  path_ = fmt::format("{}/{}-{:016x}{}", folder, network.id(), mix64(fnv1a(seen_of(input))),
                      kFeaturesEnding);
}

FeatureCache::Found FeatureCache::features(const ClipRefs& clips, const Compute& compute,
                                           Progress& progress) {
  const int64_t count = std::ssize(clips);
  const at::Tensor values = at::empty({count, width_}, at::kFloat);
  std::vector<bool> there(clips.size(), false);
  Found result;
  const auto look_up = [&] {
    const StoredRows stored(path_, width_);
    ClipRefs missing;
    for (int64_t i = 0; i < count; ++i) {
      if (!there[i] && stored.read(*clips[i], values.mutable_data_ptr<float>() + i * width_)) {
        there[i] = true;
        ++result.found;
      }
      if (!there[i]) missing.push_back(clips[i]);
    }
    return missing;
  };
  if (!look_up().empty()) {
    LockedFile file(path_, width_, progress);
    const ClipRefs missing = look_up();  // what another process computed while this one waited
    std::vector<int64_t> places;         // of the missing clips
    for (int64_t i = 0; i < count; ++i) {
      if (!there[i]) places.push_back(i);
    }
    const Store store = [&](const at::Tensor& rows, const at::Tensor& features) {
      const at::Tensor rounded = features.to(at::kBFloat16).contiguous();
      expect(rounded.size(0) == rows.size(0) && rounded.size(1) == width_,
             "a network gives a row of its width for each clip");
      std::string bytes;
      for (int64_t i = 0; i < rows.size(0); ++i) {
        const int64_t place = places.at(rows[i].item<int64_t>());
        if (!rounded[i].isfinite().all().item<bool>())
          fail("{}: the network gives numbers for this video that are not finite; check "
               "network.mean "
               "and network.range, or its file",
               clips[place]->video.str());
        bytes += row_of(*clips[place], rounded[i]);
        values[place].copy_(rounded[i]);
        there[place] = true;
        ++result.computed;
      }
      file.append(bytes);
    };
    if (!missing.empty()) compute(missing, store);
  }
  if (result.computed > 0) {
    CacheFolder(cache_.resolved_folder(), static_cast<int64_t>(cache_.gigabytes * 1e9))
        .keep_to_cap([&](const std::string& path) { return path == path_; });
  } else {
    ::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);  // used now
  }
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) {
    if (there[i]) rows.push_back(i);
  }
  result.rows = at::tensor(rows, at::kLong);
  result.values = std::ssize(rows) == count ? values : values.index_select(0, result.rows);
  return result;
}

}  // namespace distal
