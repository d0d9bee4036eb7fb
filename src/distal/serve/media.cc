#include "distal/serve/media.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/serve/place.h"
#include "distal/serve/refusal.h"
#include "distal/video/frame_times.h"

namespace distal::serve {
namespace {

constexpr int64_t kPreparing_s = 2;
constexpr double kLongStrip_s = 120;  // of more, key frames are near enough and come fast
// For SourceBuffers: Main and High profile; the level is the highest that is served.
constexpr const char* kCodedType = "video/mp4; codecs=\"avc1.4d402a\"";
constexpr const char* kCopiedType = "video/mp4; codecs=\"avc1.64002a\"";
constexpr const char* kKeep = "private, max-age=86400, immutable";  // a hash names the content

struct FrameSlice {
  int64_t first = 0;
  int64_t end = 0;
};

FrameSlice frames_in(const VideoInfo& info, const Media::Part& part) {
  const int64_t first = info.frame_at(part.start_s);
  const auto end = std::ranges::lower_bound(info.time_s, part.end_s) - info.time_s.begin();
  return {first, std::max<int64_t>(first, end)};
}

Reply kept(std::string body, const std::string& type) {
  Reply reply;
  reply.type = type;
  reply.body = std::move(body);
  reply.headers.emplace_back("Cache-Control", kKeep);
  return reply;
}

}  // namespace

Media::Media(Pool<PeopleStore>& store, const std::string& probes_folder,
             const std::string& proxies_folder, int64_t most_proxy_bytes)
    : videos_(store, probes_folder), maker_(proxies_folder, most_proxy_bytes) {}

std::string Media::file(const std::string& id) {
  const auto path = maker_.file(videos_.info(id));
  if (!path) {
    throw Refusal(503, "preparing", "video: a copy for browsers is being made; ask again soon",
                  kPreparing_s);
  }
  return *path;
}

void Media::prepare(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (!prepared_.insert(path).second) return;
  }
  maker_.later([this, path] { prepare_now(path); });
}

void Media::prepare_now(const std::string& path) {
  try {
    const Videos::Known known = videos_.known(path);
    if (known.id != kNoVideo) maker_.prepare(videos_.info(known.id));
  } catch (const std::exception&) {  // whoever asks for it is told
  }
}

Reply Media::pieces(const std::string& id) {
  const SharedInfo info = videos_.info(id);
  const ProxyMaker::Pieces pieces = maker_.pieces(info);
  nlohmann::ordered_json starts = nlohmann::ordered_json::array();
  for (const int64_t frame : pieces.plan->first)
    starts.push_back(info->time_s[static_cast<size_t>(frame)]);
  const nlohmann::ordered_json json = {{"itself", pieces.itself},
                                       {"type", pieces.plan->copied ? kCopiedType : kCodedType},
                                       {"starts", starts},
                                       {"duration_s", info->duration_s}};
  return kept(json_text(json), "application/json");
}

Reply Media::piece(const std::string& id, int64_t number) {
  Reply reply = kept("", "video/mp4");
  reply.file = maker_.piece(videos_.info(id), number);
  return reply;
}

Reply Media::frames_json(const std::string& id, const Part& part) {
  const SharedInfo info = videos_.info(id);
  const auto [first, end] = frames_in(*info, part);
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const int64_t key : key_frames(*info)) {
    if (key >= first && key < end) keys.push_back(key);
  }
  const std::vector<double> times(info->time_s.begin() + first, info->time_s.begin() + end);
  const nlohmann::ordered_json json = {{"times", times},
                                       {"keys", keys},
                                       {"first", first},
                                       {"total", info->frames()},
                                       {"duration_s", info->duration_s},
                                       {"width", info->width},
                                       {"height", info->height}};
  return kept(json_text(json), "application/json");
}

Reply Media::frames_f64(const std::string& id, const Part& part) {
  static_assert(std::endian::native == std::endian::little);
  const SharedInfo info = videos_.info(id);
  const auto [first, end] = frames_in(*info, part);
  std::string bytes(static_cast<size_t>(end - first) * sizeof(double), '\0');
  std::memcpy(bytes.data(), info->time_s.data() + first, bytes.size());
  Reply reply = kept(std::move(bytes), "application/octet-stream");
  reply.headers.emplace_back("X-First-Frame", fmt::format("{}", first));
  reply.headers.emplace_back("X-Total-Frames", fmt::format("{}", info->frames()));
  return reply;
}

std::shared_ptr<Media::Open> Media::opened(const SharedInfo& info) {
  if (auto held = open_.find(info->id)) return *held;
  auto fresh = std::make_shared<Open>();
  open_.put(info->id, fresh, 1);
  return fresh;
}

template <class Make>
Reply Media::drawn(const std::string& id, const std::string& what, const Make& make) {
  const std::string key = fmt::format("{} {}", id, what);
  if (const auto held = jpegs_.find(key)) return kept(**held, "image/jpeg");
  const SharedInfo info = videos_.info(id);
  const auto open = opened(info);
  std::string jpeg;
  try {
    const std::lock_guard one(open->mutex);
    const Place place(drawing_);
    if (!open->pictures) open->pictures = std::make_unique<Pictures>(*info);
    jpeg = make(*open->pictures, *info);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    refuse_unknown(fmt::format("video: no picture can be read ({})", excerpt(error.what())));
  }
  jpegs_.put(key, std::make_shared<const std::string>(jpeg), std::ssize(jpeg) + 200);
  return kept(std::move(jpeg), "image/jpeg");
}

Reply Media::picture(const std::string& id, double t_s, int64_t height_px) {
  return drawn(id, fmt::format("{} {}", t_s, height_px), [&](Pictures& pictures, const VideoInfo&) {
    return pictures.at(t_s, height_px).jpeg;
  });
}

Reply Media::strip(const std::string& id, const Part& part, int64_t count, int64_t height_px) {
  return drawn(id, fmt::format("{} {} {} {}", part.start_s, part.end_s, count, height_px),
               [&](Pictures& pictures, const VideoInfo& info) {
                 const double end_s = std::min(part.end_s, std::max(info.duration_s, part.start_s));
                 const bool is_long = end_s - part.start_s > kLongStrip_s;
                 return pictures
                     .strip(part.start_s, end_s, count, height_px,
                            is_long ? StripFrames::keys : StripFrames::shown)
                     .jpeg;
               });
}

}  // namespace distal::serve
