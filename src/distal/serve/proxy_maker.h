#pragma once
// Makes what browsers play, one video after the other, in the background.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <set>
#include <string>
#include <thread>

#include "distal/serve/videos.h"
#include "distal/video/proxy.h"

namespace distal::serve {

class ProxyMaker {
 public:
  /// Proxies lie in `folder`, the newest `most_bytes` of them.
  ProxyMaker(const std::string& folder, int64_t most_bytes);
  ~ProxyMaker();
  ProxyMaker(const ProxyMaker&) = delete;

  /// The file to play: the video itself where browsers play it, or its proxy. Nothing: it is being
  /// made, before all others. Throws Refusal: 404, none can be made.
  std::optional<std::string> file(const SharedInfo& info);
  /// Has it made when nobody waits for another; of what is long nothing is made before it is asked
  /// for.
  void prepare(const SharedInfo& info);

  struct Pieces {
    bool itself = false;  // browsers play the video itself
    std::shared_ptr<const PiecePlan> plan;
  };
  /// How the video is cut for a MediaSource. Throws Refusal: 404, it cannot be opened.
  Pieces pieces(const SharedInfo& info);
  /// The file of a piece, made here and now where it is not there. Throws Refusal: 404, there is
  /// none of the number, or it cannot be made.
  std::string piece(const SharedInfo& info, int64_t number);
  /// Does the work in the background, after all that is wanted. It may not throw.
  void later(std::function<void()> work);

 private:
  bool plays_itself(const SharedInfo& info);
  std::shared_ptr<const PiecePlan> plan(const SharedInfo& info);
  void want(const SharedInfo& info, bool now);
  void work();
  bool take(SharedInfo& info, std::function<void()>& work);
  void make(const SharedInfo& info);

  Proxies proxies_;
  int64_t most_bytes_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int64_t> pieces_made_ = 0;
  Recent<std::shared_ptr<const PiecePlan>> plans_{4'000'000};  // pieces
  std::counting_semaphore<> making_{2};                        // pieces at once
  std::mutex mutex_;                                           // guards what follows
  std::condition_variable wanted_;
  std::deque<SharedInfo> queue_;
  std::deque<std::function<void()>> later_;
  std::set<std::string> queued_;                 // ids, the one at work included
  std::map<std::string, bool> plays_itself_;     // by id
  std::map<std::string, std::string> failures_;  // why none can be made, by id
  std::thread worker_;                           // last: it uses all above
};

}  // namespace distal::serve
