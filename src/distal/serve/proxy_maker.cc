#include "distal/serve/proxy_maker.h"

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/serve/place.h"
#include "distal/serve/refusal.h"
#include "distal/video/browser.h"

namespace distal::serve {
namespace {

constexpr size_t kMostQueued = 200;
constexpr double kLong_s = 120;        // of what is longer a page asks for pieces
constexpr int64_t kPiecesACheck = 64;  // between two looks at what all take

/// Ends the work when the server stops.
class UntilStopped final : public Progress {
 public:
  explicit UntilStopped(const std::atomic<bool>& stopping) : stopping_(stopping) {}
  void begin(const std::string&, int64_t, const std::string&) override {}
  void end() override {}
  void say(const std::string&) override {}

 private:
  void stepped(int64_t, const std::string&) override {
    if (stopping_) throw Interrupted(0);
  }
  const std::atomic<bool>& stopping_;
};

// What `work` returns; what it says of the video is a refusal.
template <class Work>
auto or_refuse(const char* what, const Work& work) {
  try {
    return work();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    refuse_unknown(fmt::format("video: {} ({})", what, excerpt(error.what())));
  }
}

}  // namespace

ProxyMaker::ProxyMaker(const std::string& folder, int64_t most_bytes)
    : proxies_(folder), most_bytes_(most_bytes), worker_([this] { work(); }) {}

ProxyMaker::~ProxyMaker() {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    wanted_.notify_all();
  }
  worker_.join();
}

bool ProxyMaker::plays_itself(const SharedInfo& info) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = plays_itself_.find(info->id);
    if (found != plays_itself_.end()) return found->second;
  }
  const bool plays = why_not_in_browser(*info).empty();
  const std::lock_guard lock(mutex_);
  plays_itself_[info->id] = plays;
  return plays;
}

std::optional<std::string> ProxyMaker::file(const SharedInfo& info) {
  if (or_refuse("it cannot be opened", [&] { return plays_itself(info); })) return info->path;
  if (proxies_.has_whole(*info)) return proxies_.whole(*info);
  {
    const std::lock_guard lock(mutex_);
    const auto failed = failures_.find(info->id);
    if (failed != failures_.end())
      refuse_unknown(fmt::format("video: no copy can be made ({})", failed->second));
  }
  want(info, /*now=*/true);
  return std::nullopt;
}

void ProxyMaker::prepare(const SharedInfo& info) {
  if (info->duration_s > kLong_s) return;
  try {
    if (!plays_itself(info) && !proxies_.has_whole(*info)) want(info, /*now=*/false);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {  // whoever asks for it is told
  }
}

std::shared_ptr<const PiecePlan> ProxyMaker::plan(const SharedInfo& info) {
  if (const auto held = plans_.find(info->id)) return *held;
  const double piece_s = proxies_.options().piece_s;
  auto plan = std::make_shared<const PiecePlan>(plan_pieces(*info, piece_s));
  plans_.put(info->id, plan, plan->count());
  return plan;
}

ProxyMaker::Pieces ProxyMaker::pieces(const SharedInfo& info) {
  return or_refuse("it cannot be opened", [&] { return Pieces{plays_itself(info), plan(info)}; });
}

std::string ProxyMaker::piece(const SharedInfo& info, int64_t number) {
  return or_refuse("the piece cannot be had", [&] {
    const auto cut = plan(info);
    if (number < cut->count() && proxies_.has_piece(*info, *cut, number))
      return proxies_.piece(*info, *cut, number);
    const Place place(making_);
    UntilStopped progress(stopping_);
    std::string path = proxies_.piece(*info, *cut, number, &progress);
    if (++pieces_made_ % kPiecesACheck == 0) later([this] { proxies_.keep_at_most(most_bytes_); });
    return path;
  });
}

void ProxyMaker::want(const SharedInfo& info, bool now) {
  const std::lock_guard lock(mutex_);
  if (!queued_.insert(info->id).second) {
    const auto waits = std::ranges::find(queue_, info->id, [](const auto& one) { return one->id; });
    if (!now || waits == queue_.end()) return;
    queue_.erase(waits);
  } else if (!now && queue_.size() >= kMostQueued) {
    queued_.erase(info->id);
    return;
  }
  if (now)
    queue_.push_front(info);
  else
    queue_.push_back(info);
  if (queue_.size() > kMostQueued) {  // whoever still wants the last asks again
    queued_.erase(queue_.back()->id);
    queue_.pop_back();
  }
  wanted_.notify_one();
}

void ProxyMaker::later(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (later_.size() >= kMostQueued) return;
  later_.push_back(std::move(work));
  wanted_.notify_one();
}

// What is next: a video, or other work. False: the server stops.
bool ProxyMaker::take(SharedInfo& info, std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  wanted_.wait(lock, [&] { return stopping_ || !queue_.empty() || !later_.empty(); });
  if (stopping_) return false;
  if (!queue_.empty()) {
    info = queue_.front();
    queue_.pop_front();
  } else {
    work = std::move(later_.front());
    later_.pop_front();
  }
  return true;
}

void ProxyMaker::work() {
  for (;;) {
    SharedInfo info;
    std::function<void()> work;
    if (!take(info, work)) return;
    if (work) {
      work();
      continue;
    }
    make(info);
    const std::lock_guard lock(mutex_);
    queued_.erase(info->id);
  }
}

void ProxyMaker::make(const SharedInfo& info) {
  UntilStopped progress(stopping_);
  try {
    proxies_.whole(*info, &progress);
    proxies_.keep_at_most(most_bytes_);
  } catch (const Interrupted&) {  // the server stops
    stopping_ = true;
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    failures_[info->id] = excerpt(error.what());
  }
}

}  // namespace distal::serve
