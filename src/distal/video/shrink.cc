#include "distal/video/shrink.h"

#include <numeric>

#include "distal/base/interrupted.h"
#include "distal/video/decoder.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

constexpr int64_t kChunk = 32;       // frames decoded at once
constexpr double kDeadline_s = 120;  // of a chunk
constexpr int kTicksPerSecond = 90000;

// Kept in the copy's metadata. The number is of what is read of a file: one more where that
// changes.
std::string mark(const FileStamp& of, const ShrinkOptions& options) {
  return fmt::format("distal shrink 2 of {} bytes {} ns: {} px, gop {}, crf {}", of.bytes,
                     of.modified_ns, options.short_side_px, options.gop, options.crf);
}

// Ticks of each frame, exactly as the source has them where it has them, and how long a tick is.
struct Times {
  std::vector<int64_t> ticks;
  AVRational tick = {1, kTicksPerSecond};
};

Times times_of(const VideoInfo& info) {
  Times times;
  if (info.seekable && std::ssize(info.pts) == info.frames() &&
      info.pts.back() > info.pts.front()) {
    times.tick = av_d2q(
        info.time_s.back() / static_cast<double>(info.pts.back() - info.pts.front()), 1'000'000);
    for (const int64_t pts : info.pts) times.ticks.push_back(pts - info.pts.front());
    if (std::abs(static_cast<double>(times.ticks.back()) * av_q2d(times.tick) -
                 info.time_s.back()) < 1e-7)
      return times;
  }
  times = {};
  for (const double time_s : info.time_s) {
    const int64_t tick = std::llround(time_s * kTicksPerSecond);
    times.ticks.push_back(times.ticks.empty() ? tick : std::max(tick, times.ticks.back() + 1));
  }
  return times;
}

int64_t even(int64_t length) { return length / 2 * 2; }

}  // namespace

void shrink(const VideoInfo& info, const std::string& path, const ShrinkOptions& options) {
  const Resize resize{
      std::min(info.width, info.height) > options.short_side_px ? options.short_side_px : 0};
  const auto [height, width] = resize.apply(info.height, info.width);
  if (std::min(height, width) < 2)
    fail("{}: its pictures are {} by {}, too narrow to copy", info.path, width, height);
  const Times times = times_of(info);
  Decoder decoder(info, kDeadline_s);
  std::optional<VideoWriter> writer;
  const auto write = [&](const auto& work) {
    try {
      work();
    } catch (const WriteError& error) {
      throw CopyError(error.what());
    }
  };
  const SyntheticOptions format{.frames = info.frames(),
                                .rate = info.average_rate,
                                .width = even(width),
                                .height = even(height),
                                .gop = options.gop,
                                .crf = static_cast<int>(options.crf)};
  write([&] { writer.emplace(path, format, CopyTiming{times.tick, mark(info.stamp(), options)}); });
  std::vector<uint8_t> rgb(static_cast<size_t>(even(height) * even(width) * 3));
  for (int64_t first = 0; first < info.frames(); first += kChunk) {
    check_interrupted();
    std::vector<int64_t> indices(static_cast<size_t>(std::min(kChunk, info.frames() - first)));
    std::iota(indices.begin(), indices.end(), first);
    const auto frames = decoder.at_frames(indices, resize, kDeadline_s)
                            .frames.slice(1, 0, even(height))
                            .slice(2, 0, even(width))
                            .contiguous();
    write([&] {
      for (size_t i = 0; i < indices.size(); ++i) {
        std::copy_n(frames[static_cast<int64_t>(i)].const_data_ptr<uint8_t>(), rgb.size(),
                    rgb.data());
        const auto frame = static_cast<size_t>(indices[i]);
        const int64_t end = frame + 1 < times.ticks.size()
                                ? times.ticks[frame + 1]
                                : std::llround(info.duration_s / av_q2d(times.tick));
        writer->add(rgb, times.ticks[frame], std::max<int64_t>(1, end - times.ticks[frame]));
      }
    });
  }
  write([&] { writer->finish(); });
}

bool is_shrunk(const std::string& path, const FileStamp& of, const ShrinkOptions& options) {
  try {
    ffmpeg::require_file(path);  // opening a pipe that nobody writes to would wait for ever
    const ffmpeg::Deadline deadline(10);
    const auto input = ffmpeg::open_input(path, deadline);
    const auto* comment = av_dict_get(input.format->metadata, "comment", nullptr, 0);
    return comment != nullptr && comment->value == mark(of, options);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace distal
