#pragma once
// Maps of a study's embeddings: PCA at once, UMAP in the background.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "distal/evaluation/pool_map.h"
#include "distal/serve/media.h"
#include "distal/serve/pool.h"
#include "distal/serve/recent.h"
#include "distal/serve/served.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// Thread-safe.
class Maps {
 public:
  Maps(Served& served, Pool<PeopleStore>& people, Media& media);
  ~Maps();
  Maps(const Maps&) = delete;

  /// Map of openapi.json; `method`: pca or umap.
  nlohmann::ordered_json map(const std::string& study, const std::string& method);
  /// MapClip. Throws Refusal: 404, there is no such point.
  nlohmann::ordered_json clip(const std::string& study, int64_t id);

 private:
  struct Drawn {
    PoolMap map;  // embeddings in few dimensions
    torch::Tensor pca;
    std::optional<torch::Tensor> umap;  // guarded by the mutex
    bool queued = false;                // the same
  };
  using SharedDrawn = std::shared_ptr<Drawn>;

  SharedDrawn drawn(const std::string& study);
  std::optional<torch::Tensor> places(const SharedDrawn& drawn, const std::string& method);
  std::vector<PeopleStore::AskedClip> asked(const std::string& study,
                                            const std::vector<std::string>& clips);
  void work();

  Served& served_;
  Pool<PeopleStore>& people_;
  Media& media_;
  std::mutex drawing_;                 // one PCA at a time
  Recent<SharedDrawn> held_{200'000};  // rows
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wanted_;
  std::deque<SharedDrawn> queue_;
  std::thread worker_;  // last: it uses all above
};

}  // namespace distal::serve
