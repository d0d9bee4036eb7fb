#include "distal/serve/videos.h"

#include <set>

#include "distal/base/error.h"
#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

constexpr int64_t kPageOfItems = 1000;

}  // namespace

SharedInfo Videos::probed(const std::string& path) {
  const auto stamp = FileStamp::of(path);
  if (!stamp) fail("{}: missing; put it back", path);
  const std::string key = fmt::format("{} {} {}", stamp->bytes, stamp->modified_ns, path);
  if (auto held = infos_.find(key)) return *held;
  auto found = probes_.find(path, *stamp);
  if (!found) {
    found = probe(path);
    probes_.store(path, *stamp, *found);
  }
  auto info = std::make_shared<const VideoInfo>(std::move(*found));
  infos_.put(key, info, info->frames() + 1000);
  const std::lock_guard lock(mutex_);
  by_path_[path] = {*stamp, {info->id, info->duration_s, info->average_rate}};
  paths_[info->id] = path;
  return info;
}

Videos::Known Videos::known(const std::string& path) {
  const auto stamp = FileStamp::of(path);
  if (!stamp) return {};
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_path_.find(path);
    if (found != by_path_.end() && found->second.stamp == *stamp) return found->second.known;
  }
  try {
    const SharedInfo info = probed(path);
    return {info->id, info->duration_s, info->average_rate};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    const std::lock_guard lock(mutex_);
    by_path_[path] = {*stamp, {}};
    return {};
  }
}

// A page that was open before the server started again asks for videos that nobody has named yet.
void Videos::look_at_new_items() {
  const std::lock_guard one(looking_);
  std::set<std::string> seen;
  for (;;) {
    const auto items = store_.borrow()->items({}, last_item_, kPageOfItems);
    for (const auto& item : items) {
      if (seen.insert(item.video).second) known(item.video);
      last_item_ = item.id;
    }
    if (std::ssize(items) < kPageOfItems) return;
  }
}

std::optional<std::string> Videos::path_of(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(id);
  if (found == paths_.end()) return std::nullopt;
  return found->second;
}

SharedInfo Videos::info(const std::string& id) {
  auto path = path_of(id);
  if (!path) {
    look_at_new_items();
    path = path_of(id);
  }
  if (!path) refuse_unknown("video: nobody is asked about it; take the id of an item");
  try {
    SharedInfo info = probed(*path);
    if (info->id == id) return info;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
  }
  refuse_unknown("video: its file is gone, or another by now; put it back");
}

}  // namespace distal::serve
