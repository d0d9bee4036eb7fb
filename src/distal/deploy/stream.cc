#include "distal/deploy/stream.h"

#include <algorithm>
#include <cmath>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/data/augment.h"
#include "distal/lists/reading_video.h"

namespace distal {
namespace {

constexpr double kMillisecond_s = 0.001;

// Frames uint8 [H, W, 3] as a clip [1, 3, T, size, size] of evaluation.
torch::Tensor evaluated(const std::vector<torch::Tensor>& frames, int64_t size) {
  FrameView view{{}, frames.front().size(0), frames.front().size(1), nullptr};
  for (const auto& frame : frames) view.frames.push_back(frame.const_data_ptr<uint8_t>());
  auto clip = torch::empty({1, 3, std::ssize(frames), size, size});
  apply_augment(view, centre_draw(view.height, view.width), size, clip.mutable_data_ptr<float>());
  return clip;
}

LiveOptions sized(LiveOptions options, const InputOptions& input) {
  options.short_side_px = input.cached_short_side_px();
  return options;
}

}  // namespace

StreamSampling::StreamSampling(const SamplingOptions& sampling, double rate)
    : stride_(sampling.rule == "dense" ? sampling.stride : 1), rate_(rate) {}

bool StreamSampling::takes(double time_s) {
  if (rate_ > 0) {
    const auto tick = static_cast<int64_t>(std::floor((time_s + kMillisecond_s) * rate_));
    if (tick <= tick_) return false;
    tick_ = tick;
  }
  if (left_ == 0) left_ = stride_;
  return left_-- == stride_;
}

double StreamSampling::counted(double source_rate) const {
  const double thinned =
      rate_ > 0 && source_rate > 0 ? std::min(rate_, source_rate) : std::max(rate_, source_rate);
  return thinned / static_cast<double>(stride_);
}

std::optional<torch::Tensor> EcoStream::add(const torch::Tensor& frame) {
  expect(frame.dim() == 3 && frame.scalar_type() == torch::kUInt8,
         "a frame of a stream is uint8 [H, W, 3]");
  frames_.push_back(frame);
  const auto positions = online_.add_frame();
  std::optional<torch::Tensor> smoothed;
  if (!positions.empty()) {
    const torch::NoGradGuard no_grad;
    smoothed = online_.smooth(engine_.run(clip_of(positions)).logits[0]);
  }
  for (; first_ < online_.first_needed(); ++first_) frames_.pop_front();
  return smoothed;
}

void EcoStream::restart() {
  online_ = {};
  frames_.clear();
  first_ = 0;
}

torch::Tensor EcoStream::clip_of(const std::vector<int64_t>& positions) const {
  const int64_t count = input_.sampling.frames;
  std::vector<torch::Tensor> frames;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t position =
        positions[static_cast<size_t>((2 * i + 1) * std::ssize(positions) / (2 * count))];
    frames.push_back(frames_[static_cast<size_t>(position - first_)]);
  }
  return evaluated(frames, input_.size_px);
}

std::optional<torch::Tensor> TsmStream::add(const torch::Tensor& frame) {
  const torch::NoGradGuard no_grad;
  features_.push_back(net_.next_frame(evaluated({frame}, input_.size_px).squeeze(2), before_));
  if (std::ssize(features_) > input_.sampling.frames) features_.pop_front();
  return net_.head(torch::cat(std::vector<torch::Tensor>(features_.begin(), features_.end()))
                       .mean(0, /*keepdim=*/true))[0];
}

void TsmStream::restart() {
  before_.clear();
  features_.clear();
}

FileFrames::FileFrames(VideoInfo info, const InputOptions& input, double rate)
    : info_(std::move(info)),
      input_(input),
      sampling_(input.sampling, rate),
      decoder_(info_, input.deadline_s) {}

std::optional<StreamItem> FileFrames::next() {
  while (index_ < info_.frames()) {
    check_interrupted();
    const int64_t index = index_++;
    const double time_s = info_.time_s[static_cast<size_t>(index)];
    if (!sampling_.takes(time_s)) continue;
    const auto frame = reading_video(info_.path, [&] {
      const Resize resize{input_.cached_short_side_px()};
      return decoder_.at_frames(std::span(&index, 1), resize, input_.deadline_s).frames[0];
    });
    return StreamItem{time_s, frame, ""};
  }
  return std::nullopt;
}

LiveFrames::LiveFrames(const LiveSource& source, LiveOptions options, const InputOptions& input,
                       double rate)
    : sampling_(std::make_shared<StreamSampling>(input.sampling, rate)),
      reader_(source, sized(std::move(options), input),
              [sampling = sampling_](double time_s) { return sampling->takes(time_s); }) {}

int64_t score_stream(FrameSource& frames, StreamScorer& scorer, StreamListener& listener) {
  int64_t count = 0;
  bool joins_on = false;
  while (const auto item = frames.next()) {
    check_interrupted();
    if (!item->frame.defined()) {
      scorer.restart();
      listener.lost(item->time_s, item->lost);
      joins_on = false;
      continue;
    }
    if (!joins_on) listener.begins(item->time_s);
    joins_on = true;
    ++count;
    if (const auto logits = scorer.add(item->frame)) listener.answer(item->time_s, *logits);
  }
  return count;
}

int64_t score_stream(
    const VideoInfo& info, StreamScorer& scorer, const InputOptions& input, double rate,
    const std::function<void(double time_s, const torch::Tensor& logits)>& answer) {
  struct Answers final : StreamListener {
    explicit Answers(const std::function<void(double, const torch::Tensor&)>& to) : said(to) {}
    void answer(double time_s, const torch::Tensor& logits) override { said(time_s, logits); }
    const std::function<void(double, const torch::Tensor&)>& said;
  } answers(answer);
  FileFrames frames(info, input, rate);
  return score_stream(frames, scorer, answers);
}

}  // namespace distal
