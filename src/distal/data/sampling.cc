#include "distal/data/sampling.h"

#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr double kRounding_s = 0.0005;

// `count` evenly spaced places of 0 .. length-1 (the centres of equal parts); all of them where
// count is 0 or too large.
int64_t places(int64_t length, int64_t count) {
  return count == 0 ? length : std::min(count, length);
}
int64_t place(int64_t k, int64_t length, int64_t count) {
  return (2 * k + 1) * length / (2 * places(length, count));
}

// Part i of n frames cut into `frames` parts; where there are fewer frames than parts, each part
// has one all the same.
struct Part {
  int64_t first, length;
};

Part part_of(int64_t i, int64_t n, int64_t frames) {
  const int64_t first = i * n / frames;
  const int64_t end = (i + 1) * n / frames;
  return {first, std::max<int64_t>(end - first, 1)};
}

int64_t dense_starts(int64_t n, const SamplingOptions& options) {
  return std::max<int64_t>(n - (options.frames - 1) * options.stride, 1);
}

void add_dense(int64_t start, int64_t n, const SamplingOptions& options,
               std::vector<int64_t>& indices) {
  for (int64_t i = 0; i < options.frames; ++i)
    indices.push_back(std::min(start + i * options.stride, n - 1));
}

}  // namespace

void SamplingOptions::visit(OptionVisitor& v) const {
  v("rule", rule, "even: one frame of each of equal parts; dense: every stride-th frame",
    one_of({"even", "dense"}));
  v("frames", frames, "frames of a clip that the network sees", between(1, 4096));
  v("stride", stride, "dense: distance of the sampled frames, in video frames", between(1, 1e6));
  v("jitter_steps", jitter_steps,
    "training: number of positions to draw from, in each part or for the start; 0: any frame",
    between(0, 1e6));
}

std::pair<int64_t, int64_t> frames_of(const VideoInfo& info, const Clip& clip) {
  expect(info.frames() > 0, "a probed video has frames");
  // The first frame from t_s on, or one that begins up to kRounding_s before and is nearer: at 2000
  // frames per second both are near.
  const auto at = [&](double t_s) {
    const auto begin = info.time_s.begin();
    const auto end = info.time_s.end();
    const auto after = std::lower_bound(begin, end, t_s);
    if (after == begin) return int64_t{0};
    const double before_s = t_s - *(after - 1);
    const bool nearer =
        before_s <= kRounding_s && before_s < (after == end ? info.duration_s : *after) - t_s;
    return (nearer ? after - 1 : after) - begin;
  };
  const int64_t first = at(clip.start_s);
  const int64_t end = at(clip.end_s);
  if (first < end) return {first, end};
  const int64_t shown = info.frame_at(clip.start_s);
  return {shown, shown + 1};
}

std::vector<int64_t> SamplingOptions::draw(const VideoInfo& info, const Clip& clip,
                                           Random* random) const {
  const auto [first, end] = frames_of(info, clip);
  const int64_t n = end - first;
  const auto pick = [&](int64_t length) {
    return place(random->below(places(length, jitter_steps)), length, jitter_steps);
  };
  std::vector<int64_t> indices;
  if (rule == "dense") {
    const int64_t starts = dense_starts(n, *this);
    add_dense(random != nullptr ? pick(starts) : (starts - 1) / 2, n, *this, indices);
  } else {
    for (int64_t i = 0; i < frames; ++i) {
      const auto part = part_of(i, n, frames);
      indices.push_back(random != nullptr ? part.first + pick(part.length)
                                          : (2 * i + 1) * n / (2 * frames));
    }
  }
  for (auto& index : indices) index += first;
  return indices;
}

std::vector<int64_t> SamplingOptions::candidates(const VideoInfo& info, const Clip& clip,
                                                 bool training) const {
  const auto [first, end] = frames_of(info, clip);
  const int64_t n = end - first;
  std::vector<int64_t> all;
  if (!training) {
    all = draw(info, clip, nullptr);
  } else if (rule == "dense") {
    const int64_t starts = dense_starts(n, *this);
    for (int64_t k = 0; k < places(starts, jitter_steps); ++k)
      add_dense(first + place(k, starts, jitter_steps), end, *this, all);
  } else {
    for (int64_t i = 0; i < frames; ++i) {
      const auto part = part_of(i, n, frames);
      for (int64_t k = 0; k < places(part.length, jitter_steps); ++k)
        all.push_back(first + part.first + place(k, part.length, jitter_steps));
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace distal
