#include "distal/report/thumbnail.h"

#include <array>
#include <map>
#include <memory>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/video/decoder.h"
#include "distal/video/image.h"

namespace distal {
namespace {

constexpr size_t kMostProbed = 64;  // a long video's index takes megabytes

class Probes {
 public:
  const VideoInfo& of(const std::string& video) {
    const auto known = probed_.find(video);
    if (known != probed_.end()) return known->second;
    if (probed_.size() >= kMostProbed) probed_.clear();
    return probed_.emplace(video, probe(video)).first->second;
  }

 private:
  std::map<std::string, VideoInfo> probed_;
};

std::optional<Thumbnail> made(Probes& probes, const Clip& clip) {
  check_interrupted();
  try {
    const VideoInfo& info = probes.of(clip.video);
    const double middle_s = 0.5 * (clip.start_s + std::min(clip.end_s, info.duration_s));
    const Frames frames = Decoder(info).at_times(std::array{middle_s}, {.short_side_px = 112});
    return Thumbnail{"image/jpeg", encode_jpeg(frames.frames[0])};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

ThumbnailFunction thumbnails() {
  return [probes = std::make_shared<Probes>()](const Clip& clip) { return made(*probes, clip); };
}

}  // namespace distal
