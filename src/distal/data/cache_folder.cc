#include "distal/data/cache_folder.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace distal {
namespace {

struct File {
  std::string path;
  int64_t bytes;
  struct timespec used;
  bool features;
};

void collect(const std::string& folder, std::vector<File>& files) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    struct stat file {};
    const auto ending = at->path().extension();
    if (stat(at->path().c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    if (ending == kFramesEnding || ending == kProbeEnding || ending == kFeaturesEnding)
      files.push_back({at->path().string(), file.st_blocks * 512, file.st_mtim,
                       /*features=*/ending == kFeaturesEnding});
  }
}

// What leaves first: the least recently used, features last.
std::vector<File> files_by_use(const std::string& folder) {
  std::vector<File> files;
  collect(folder, files);
  collect(folder + "/probes", files);
  collect(folder + "/features", files);
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::tuple(a.features, a.used.tv_sec, a.used.tv_nsec) <
           std::tuple(b.features, b.used.tv_sec, b.used.tv_nsec);
  });
  return files;
}

// Removes a file unless somebody is writing to it, or put another one in its place while we looked.
bool remove_idle(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat locked = {};
  struct stat there = {};
  const bool same = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &locked) == 0 &&
                    stat(path.c_str(), &there) == 0 && locked.st_ino == there.st_ino &&
                    locked.st_dev == there.st_dev;
  const bool removed = same && unlink(path.c_str()) == 0;
  close(fd);
  return removed;
}

// HASH.probe.PROCESS-NUMBER.partial
bool is_old_partial(std::string_view name) {
  const auto take = [&](const char* characters) {
    const size_t count = std::min(name.find_first_not_of(characters), name.size());
    name.remove_prefix(count);
    return count;
  };
  const auto word = [&](std::string_view meant) {
    const bool there = name.starts_with(meant);
    if (there) name.remove_prefix(meant.size());
    return there;
  };
  const char* digits = "0123456789";
  return take("0123456789abcdef") == 16 && word(kProbeEnding) && word(".") && take(digits) > 0 &&
         word("-") && take(digits) > 0 && word(".partial") && name.empty();
}

}  // namespace

void clear_old_partials(const std::string& probes_folder) {
  std::error_code error, ignored;
  for (std::filesystem::directory_iterator at(probes_folder, error), end; !error && at != end;
       at.increment(error)) {
    if (is_old_partial(at->path().filename().string()) &&
        at->symlink_status(ignored).type() == std::filesystem::file_type::regular)
      std::filesystem::remove(at->path(), ignored);
  }
}

bool CacheFolder::may_be_full() const {
  return measured_bytes_ < 0 || measured_bytes_ + written_bytes_ > cap_bytes_ ||
         written_bytes_ > cap_bytes_ / 16;
}

void CacheFolder::keep_to_cap(const std::function<bool(const std::string&)>& spare) {
  const auto files = files_by_use(path_);
  int64_t total = 0;
  for (const auto& file : files) total += file.bytes;
  const bool full = total > cap_bytes_;
  for (const auto& file : files) {
    if (!full || total <= cap_bytes_ - cap_bytes_ / 10) break;
    if (!spare(file.path) && remove_idle(file.path)) total -= file.bytes;
  }
  measured_bytes_ = total;
  written_bytes_ = 0;
}

}  // namespace distal
