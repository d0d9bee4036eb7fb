// data/probe_cache.h and data/cache_file.h: what lies in the cache's folder. A record of a probe,
// then, where it is one, a file of frames.
#include <filesystem>
#include <fstream>

#include "distal/data/cache_file.h"
#include "distal/data/probe_cache.h"
#include "target.h"

using namespace distal;

namespace {

class Folder {
 public:
  Folder() : path_(fmt::format("/dev/shm/distal_fuzz_{}", getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  static const Folder folder;
  static const ProbeCache cache(folder.path());
  static const std::string record = [] {  // the file that the cache gives a video's record
    cache.store("/video.mp4", {1, 2}, {});
    return std::filesystem::directory_iterator(folder.path())->path().string();
  }();
  std::ofstream(record, std::ios::binary).write(input.data(), std::ssize(input));
  fuzz::attempt(input, [&] { cache.find("/video.mp4", {1, 2}); });
  const fuzz::MemoryFile file(input);
  const CacheShape shape{2, 4, 4};
  if (const auto frames = CacheMap::open(file.path(), shape)) {
    for (int64_t i = 0; i < shape.frames; ++i) frames->ready(i);
  }
}
