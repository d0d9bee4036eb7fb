#include "distal/video/copy.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <numeric>
#include <optional>

#include "distal/base/interrupted.h"
#include "distal/video/decoder.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

constexpr int64_t kChunk = 32;       // frames decoded at once
constexpr double kDeadline_s = 120;  // of a chunk
constexpr int kTicksPerSecond = 90000;

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

template <class Work>
void writing(const Work& work) {
  try {
    work();
  } catch (const WriteError& error) {
    throw CopyError(error.what());
  }
}

class Copying {
 public:
  Copying(const VideoInfo& info, FrameSpan span, const std::string& path, const CopyForm& form)
      : info_(info),
        span_(span),
        times_(times_of(info)),
        resize_{std::min(info.width, info.height) > form.short_side_px ? form.short_side_px : 0},
        for_browser_(form.for_browser),
        first_tick_(form.fragments ? 0 : tick_of(span.first)) {
    const auto [height, width] = resize_.apply(info.height, info.width);
    if (std::min(height, width) < 2)
      fail("{}: its pictures are {} by {}, too narrow to copy", info.path, width, height);
    height_ = even(height);
    width_ = even(width);
    decoder_.emplace(info, kDeadline_s);
    const SyntheticOptions format{.frames = span.end - span.first,
                                  .rate = info.average_rate,
                                  .width = width_,
                                  .height = height_,
                                  .gop = form.gop,
                                  .crf = static_cast<int>(form.crf)};
    writing([&] {
      writer_.emplace(path, format,
                      CopyTiming{times_.tick, form.comment, form.for_browser, form.fragments});
    });
  }

  void run(const std::function<void(int64_t)>& progress) {
    std::future<torch::Tensor> ahead = read(span_.first);
    for (int64_t first = span_.first; first < span_.end; first += kChunk) {
      check_interrupted();
      const torch::Tensor frames = ahead.get();
      const int64_t end = first + frames.size(0);
      if (end < span_.end) ahead = read(end);
      write(frames, first);
      if (progress) progress(end - span_.first);
    }
    writing([&] { writer_->finish(); });
  }

 private:
  // Someone waits for a browser's copy: another thread decodes what comes next. Its end is waited
  // for before this goes, also where an error ends the copy.
  std::future<torch::Tensor> read(int64_t first) {
    return std::async(for_browser_ ? std::launch::async : std::launch::deferred,
                      [this, first] { return decoded(first); });
  }

  // uint8 [T, height_, width_, 3]
  torch::Tensor decoded(int64_t first) {
    std::vector<int64_t> indices(static_cast<size_t>(std::min(kChunk, span_.end - first)));
    std::iota(indices.begin(), indices.end(), first);
    return decoder_->at_frames(indices, resize_, kDeadline_s)
        .frames.slice(1, 0, height_)
        .slice(2, 0, width_)
        .contiguous();
  }

  void write(const torch::Tensor& frames, int64_t first) {
    rgb_.resize(static_cast<size_t>(height_ * width_ * 3));
    writing([&] {
      for (int64_t i = 0; i < frames.size(0); ++i) {
        std::copy_n(frames[i].const_data_ptr<uint8_t>(), rgb_.size(), rgb_.data());
        add(first + i);
      }
    });
  }

  void add(int64_t frame) {
    const int64_t tick = tick_of(frame);
    writer_->add(rgb_, tick - first_tick_, std::max<int64_t>(1, tick_of(frame + 1) - tick));
  }

  int64_t tick_of(int64_t frame) const {
    return frame < std::ssize(times_.ticks) ? times_.ticks[static_cast<size_t>(frame)]
                                            : std::llround(info_.duration_s / av_q2d(times_.tick));
  }

  const VideoInfo& info_;
  FrameSpan span_;
  Times times_;
  Resize resize_;
  bool for_browser_;
  int64_t first_tick_;  // where the file's times begin
  int64_t height_ = 0;
  int64_t width_ = 0;
  std::optional<Decoder> decoder_;
  std::optional<VideoWriter> writer_;
  std::vector<uint8_t> rgb_;
};

}  // namespace

void write_copy(const VideoInfo& info, FrameSpan span, const std::string& path,
                const CopyForm& form, const std::function<void(int64_t)>& progress) {
  expect(0 <= span.first && span.first < span.end && span.end <= info.frames(),
         "a copy has frames of the video");
  Copying(info, span, path, form).run(progress);
}

}  // namespace distal
