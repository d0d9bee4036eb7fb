#include "distal/serve/maps.h"

#include <cmath>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/serve/item_json.h"
#include "distal/serve/projection.h"
#include "distal/serve/refusal.h"
#include "distal/video/probe.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kComponents = 50;  // that UMAP gets

// Both axes by one factor, so that distances stay in proportion.
torch::Tensor in_frame(const torch::Tensor& places) {
  const torch::Tensor centred = places - (places.amax(0) + places.amin(0)) / 2;
  return (centred / centred.abs().amax().clamp_min(1e-12)).contiguous();
}

std::string note_of(const PoolMap& map, const std::string& method) {
  std::string note;
  const auto shown = std::ssize(map.rows);
  if (shown < map.total)
    note = fmt::format("A random sample of {} of {} clips. ", shown, map.total);
  return note + (method == "pca" ? "The first two principal components of the embeddings."
                                 : "UMAP: distances between groups mean little.");
}

Json frame_json(const std::string& method, const std::string& state, const std::string& note) {
  return {{"method", method}, {"state", state},   {"arm", nullptr},
          {"seed", nullptr},  {"round", nullptr}, {"total", 0},
          {"shown", 0},       {"note", note},     {"points", Json::array()}};
}

Json item_number(const PeopleStore::AskedClip& clip) {
  return clip.item > 0 ? Json(clip.item) : Json(nullptr);
}

Json class_json(const PeopleStore::AskedClip& clip) {
  return clip.class_name.empty() ? Json(nullptr) : Json(clip.class_name);
}

const char* role_on_map(const PeopleStore::AskedClip& clip) {
  if (clip.purpose == "held_out") return "test";
  return clip.class_name.empty() ? "pool" : "labelled";
}

}  // namespace

Maps::Maps(Served& served, Pool<PeopleStore>& people, Media& media)
    : served_(served), people_(people), media_(media), worker_([this] { work(); }) {}

Maps::~Maps() {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    wanted_.notify_all();
  }
  worker_.join();
}

// Null where no student has scored the pool.
Maps::SharedDrawn Maps::drawn(const std::string& study) {
  const ServedStudy* const served = served_.find(study);
  const std::string file = served == nullptr ? "" : newest_pool_map(served->folder);
  const auto stamp = FileStamp::of(file);
  if (file.empty() || !stamp) return nullptr;
  const std::string key = fmt::format("{} {} {}", file, stamp->modified_ns, stamp->bytes);
  const std::lock_guard one(drawing_);
  if (const auto held = held_.find(key)) return *held;
  auto fresh = std::make_shared<Drawn>();
  fresh->map = read_pool_map(file);
  fresh->map.embeddings = principal_components(fresh->map.embeddings, kComponents);
  fresh->pca = in_frame(fresh->map.embeddings.narrow(1, 0, 2));
  held_.put(key, fresh, std::ssize(fresh->map.rows));
  return fresh;
}

// Nothing: they are being computed.
std::optional<torch::Tensor> Maps::places(const SharedDrawn& drawn, const std::string& method) {
  if (method == "pca") return drawn->pca;
  const std::lock_guard lock(mutex_);
  if (drawn->umap || drawn->queued) return drawn->umap;
  drawn->queued = true;
  queue_.push_back(drawn);
  wanted_.notify_one();
  return std::nullopt;
}

void Maps::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const SharedDrawn next = queue_.front();
    queue_.pop_front();
    lock.unlock();
    std::optional<torch::Tensor> found;
    try {
      found = umap(next->map.embeddings, [this] { return stopping_.load(); });
    } catch (const std::exception&) {  // what UMAP cannot place stays as PCA has it
      found = next->pca;
    }
    lock.lock();
    if (found) next->umap = in_frame(*found);
  }
}

// Of each clip; of a branch also what its study asked.
std::vector<PeopleStore::AskedClip> Maps::asked(const std::string& study,
                                                const std::vector<std::string>& clips) {
  std::vector<PeopleStore::AskedClip> all(clips.size());
  const auto store = people_.borrow();
  std::set<std::string> seen;
  for (std::string name = study; !name.empty() && seen.insert(name).second;) {
    const auto found = store->asked_about(name, clips);
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].class_name.empty() && found[i].item > 0) all[i] = found[i];
    }
    const ServedStudy* const served = served_.find(name);
    name = served == nullptr ? "" : served->branch_of;
  }
  return all;
}

Json Maps::map(const std::string& study, const std::string& method) {
  const SharedDrawn found = drawn(study);
  if (!found) return frame_json(method, "absent", "No student has scored the pool yet.");
  const PoolMap& map = found->map;
  if (method == "umap" && (!has_umap() || std::ssize(map.rows) < kFewestForUmap)) {
    return frame_json(method, "absent",
                      has_umap() ? fmt::format("UMAP needs {} clips.", kFewestForUmap)
                                 : "This build has no UMAP; make setup fetches it.");
  }
  const auto at = places(found, method);
  Json json = frame_json(method, at ? "ready" : "computing", note_of(map, method));
  json["arm"] = map.arm;
  json["seed"] = map.seed;
  json["round"] = map.round;
  json["total"] = map.total;
  if (!at) return json;
  json["shown"] = map.rows.size();
  std::vector<std::string> clips;
  for (const auto& row : map.rows) clips.push_back(row.clip);
  const auto known = asked(study, clips);
  const float* xy = at->const_data_ptr<float>();
  for (size_t i = 0; i < map.rows.size(); ++i, xy += 2) {
    json["points"].push_back({{"id", i + 1},
                              {"x", xy[0]},
                              {"y", xy[1]},
                              {"class", class_json(known[i])},
                              {"role", role_on_map(known[i])},
                              {"clip", map.rows[i].clip},
                              {"item", item_number(known[i])}});
  }
  return json;
}

Json Maps::clip(const std::string& study, int64_t id) {
  const SharedDrawn found = drawn(study);
  if (!found || id > std::ssize(found->map.rows))
    refuse_unknown(fmt::format("map: there is no point {}; ask for the map again", id));
  const PoolMap::Row& row = found->map.rows[static_cast<size_t>(id - 1)];
  const Videos::Known video = media_.videos().known(row.video);
  const double end_s =
      std::isfinite(row.end_s) ? row.end_s : std::max(video.duration_s, row.start_s);
  const auto known = asked(study, {row.clip})[0];
  return {{"id", id},
          {"clip", row.clip},
          {"video", video_json(video)},
          {"start_s", row.start_s},
          {"end_s", end_s},
          {"class", class_json(known)},
          {"item", item_number(known)},
          {"picture", picture_url(video.id, (row.start_s + end_s) / 2)}};
}

}  // namespace distal::serve
