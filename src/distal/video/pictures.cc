#include "distal/video/pictures.h"

#include <algorithm>
#include <cmath>

#include "distal/base/error.h"
#include "distal/video/image.h"

namespace distal {
namespace {

constexpr double kFrameDeadline_s = 30;
constexpr double kStripDeadline_s = 120;

}  // namespace

Pictures::Pictures(const VideoInfo& info) : info_(info), decoder_(info, kFrameDeadline_s) {}

Resize Pictures::resize_to(int64_t height_px) const {
  if (height_px < 0) fail("{}: a picture {} px high; give 1 px or more", info_.path, height_px);
  if (height_px == 0 || height_px >= info_.height) return {};
  const int64_t width = (height_px * info_.width + info_.height / 2) / info_.height;
  return {std::max<int64_t>(1, std::min(height_px, width))};
}

Picture Pictures::at(double t_s, int64_t height_px) {
  if (!std::isfinite(t_s)) fail("{}: {} is no time; give seconds", info_.path, t_s);
  return of_frame(info_.frame_at(t_s), height_px);
}

Picture Pictures::of_frame(int64_t frame, int64_t height_px) {
  if (frame < 0 || frame >= info_.frames())
    fail("{}: no frame {}; they have the numbers 0 to {}", info_.path, frame, info_.frames() - 1);
  const auto frames =
      decoder_.at_frames(std::span(&frame, 1), resize_to(height_px), kFrameDeadline_s).frames;
  return {encode_jpeg(frames[0]), frame, info_.time_s[static_cast<size_t>(frame)]};
}

int64_t Pictures::frame_for(double t_s, StripFrames which) const {
  const int64_t shown = info_.frame_at(t_s);
  if (which == StripFrames::shown) return shown;
  for (int64_t frame = shown; frame >= 0; --frame) {
    if (info_.key[static_cast<size_t>(frame)]) return frame;
  }
  return shown;
}

FilmStrip Pictures::strip(double start_s, double end_s, int64_t count, int64_t height_px,
                          StripFrames which) {
  if (!std::isfinite(start_s) || !std::isfinite(end_s) || end_s < start_s)
    fail("{}: a film strip from {} s to {} s; give two times in order", info_.path, start_s, end_s);
  if (count < 1 || count > kMostInStrip)
    fail("{}: a film strip of {} pictures; give 1 to {}", info_.path, count, kMostInStrip);
  const Resize resize = resize_to(height_px);
  if (const int64_t width = count * resize.apply(info_.height, info_.width).second;
      width > kWidestStrip_px) {
    fail("{}: a film strip {} px wide; give fewer or lower pictures, up to {} px together",
         info_.path, width, kWidestStrip_px);
  }
  FilmStrip strip;
  for (int64_t i = 0; i < count; ++i) {
    const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    strip.frames.push_back(frame_for(start_s + part * (end_s - start_s), which));
    strip.time_s.push_back(info_.time_s[static_cast<size_t>(strip.frames.back())]);
  }
  const auto frames = decoder_.at_frames(strip.frames, resize, kStripDeadline_s).frames;
  strip.height = frames.size(1);
  strip.width = frames.size(2);
  strip.jpeg =
      encode_jpeg(frames.permute({1, 0, 2, 3}).reshape({strip.height, count * strip.width, 3}));
  return strip;
}

}  // namespace distal
