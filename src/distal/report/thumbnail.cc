#include "distal/report/thumbnail.h"

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/video/decoder.h"
#include "distal/video/image.h"

namespace distal {

std::optional<Thumbnail> thumbnail(const Clip& clip) {
  check_interrupted();
  try {
    const VideoInfo info = probe(clip.video);
    const double middle_s = 0.5 * (clip.start_s + std::min(clip.end_s, info.duration_s));
    const Frames frames = Decoder(info).at_times(std::array{middle_s}, {.short_side_px = 112});
    return Thumbnail{"image/jpeg", encode_jpeg(frames.frames[0])};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace distal
