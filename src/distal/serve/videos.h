#pragma once
// The videos that people are asked about, or that a map shows, by the hash of their content. A path
// comes from the store or from a run, and never from a client.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "distal/data/probe_cache.h"
#include "distal/serve/pool.h"
#include "distal/serve/recent.h"
#include "distal/store/people_store.h"
#include "distal/video/probe.h"

namespace distal::serve {

using SharedInfo = std::shared_ptr<const VideoInfo>;

/// Of a video that cannot be read; no video has it.
inline constexpr const char* kNoVideo = "0000000000000000";

/// Thread-safe. Probes are kept in the folder where a study keeps its own.
class Videos {
 public:
  Videos(Pool<PeopleStore>& store, const std::string& probes_folder)
      : store_(store), probes_(probes_folder) {}

  struct Known {
    std::string id = kNoVideo;
    double duration_s = 0;
    double frame_rate = 0;  // frames a second, on average
  };
  /// Of a path of the store or of a run; info() knows the video from now on. A video that is not
  /// probed yet is read through once. One that cannot be read has the id kNoVideo.
  Known known(const std::string& path);
  /// Throws Refusal: 404, no item is about such a video, or it cannot be read any more.
  SharedInfo info(const std::string& id);

 private:
  struct Row {
    FileStamp stamp;
    Known known;
  };
  SharedInfo probed(const std::string& path);
  std::optional<std::string> path_of(const std::string& id);
  void look_at_new_items();

  Pool<PeopleStore>& store_;
  ProbeCache probes_;
  std::mutex mutex_;  // guards the maps
  std::map<std::string, Row> by_path_;
  std::map<std::string, std::string> paths_;  // by id
  std::mutex looking_;                        // one thread goes through new items
  int64_t last_item_ = 0;
  Recent<SharedInfo> infos_{4'000'000};  // frames: an hour has some 100,000
};

}  // namespace distal::serve
