#pragma once
// What a page sees of a video: a file to play, times of frames, pictures, film strips.

#include <memory>
#include <mutex>
#include <semaphore>
#include <set>
#include <string>

#include "distal/serve/call.h"
#include "distal/serve/proxy_maker.h"
#include "distal/serve/videos.h"
#include "distal/video/pictures.h"

namespace distal::serve {

/// Thread-safe. Every function throws Refusal: 404, no item is about such a video.
class Media {
 public:
  /// Probes lie in `probes_folder`, proxies in `proxies_folder`: at most so many bytes of them.
  Media(Pool<PeopleStore>& store, const std::string& probes_folder,
        const std::string& proxies_folder, int64_t most_proxy_bytes);

  Videos& videos() { return videos_; }
  /// Throws Refusal: 503 `preparing`, it is being made.
  std::string file(const std::string& id);
  /// Has a file made in the background; of what cannot be read nothing happens.
  void prepare(const std::string& path);

  /// Pieces of openapi.json.
  Reply pieces(const std::string& id);
  /// An MP4 in fragments. Throws Refusal: 404, there is none of the number.
  Reply piece(const std::string& id, int64_t number);

  struct Part {
    double start_s = 0;
    double end_s = 0;
  };
  /// Those on screen in the part: the first may begin before it.
  Reply frames_json(const std::string& id, const Part& part);
  /// Little-endian doubles, and headers X-First-Frame, X-Total-Frames.
  Reply frames_f64(const std::string& id, const Part& part);
  /// JPEG. Throws Refusal: 404, the video cannot be read.
  Reply picture(const std::string& id, double t_s, int64_t height_px);
  Reply strip(const std::string& id, const Part& part, int64_t count, int64_t height_px);

 private:
  template <class Make>
  Reply drawn(const std::string& id, const std::string& what, const Make& make);
  struct Open {
    std::mutex mutex;  // a Pictures belongs to one thread at a time
    std::unique_ptr<Pictures> pictures;
  };
  std::shared_ptr<Open> opened(const SharedInfo& info);
  void prepare_now(const std::string& path);

  std::mutex mutex_;                // guards what follows
  std::set<std::string> prepared_;  // paths
  Videos videos_;
  ProxyMaker maker_;
  Recent<std::shared_ptr<Open>> open_{8};                       // videos
  Recent<std::shared_ptr<const std::string>> jpegs_{64 << 20};  // bytes
  std::counting_semaphore<> drawing_{4};                        // decoders at work
};

}  // namespace distal::serve
