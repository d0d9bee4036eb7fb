#include "data/cache_folder.h"

#include <algorithm>
#include <filesystem>
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
};

void collect(const std::string& folder, std::vector<File>& files) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    struct stat file{};
    const auto ending = at->path().extension();
    if (stat(at->path().c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    if (ending == kFramesEnding || ending == kProbeEnding) files.push_back({at->path().string(), file.st_blocks * 512, file.st_mtim});
  }
}

// The least recently used first.
std::vector<File> files_by_use(const std::string& folder) {
  std::vector<File> files;
  collect(folder, files);
  collect(folder + "/probes", files);
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  return files;
}

// Removes a file unless somebody is writing to it, or put another one in its place while we looked.
bool remove_idle(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat locked{}, there{};
  const bool same = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &locked) == 0 && stat(path.c_str(), &there) == 0 &&
                    locked.st_ino == there.st_ino && locked.st_dev == there.st_dev;
  const bool removed = same && unlink(path.c_str()) == 0;
  close(fd);
  return removed;
}

}  // namespace

bool CacheFolder::may_be_full() const {
  return measured_bytes_ < 0 || measured_bytes_ + written_bytes_ > cap_bytes_ || written_bytes_ > cap_bytes_ / 16;
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
