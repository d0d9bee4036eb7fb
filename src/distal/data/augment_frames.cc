#include "distal/data/augment_frames.h"

#include <numeric>
#include <set>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal {

FrameMap paced(int64_t frames, double speed, double shift) {
  const double middle = static_cast<double>(frames - 1) / 2;
  FrameMap map(frames);
  for (int64_t i = 0; i < frames; ++i)
    map[i] = std::clamp<int64_t>(
        std::llround(middle + shift + speed * (static_cast<double>(i) - middle)), 0, frames - 1);
  return map;
}

FrameMap dropped(int64_t frames, double probability, Random random) {
  FrameMap map(frames, 0);
  for (int64_t i = 1; i < frames; ++i) map[i] = random.uniform() < probability ? map[i - 1] : i;
  return map;
}

FrameMap backwards(int64_t frames) {
  FrameMap map(frames);
  for (int64_t i = 0; i < frames; ++i) map[i] = frames - 1 - i;
  return map;
}

FrameMap shuffled(int64_t frames, int64_t chunks, Random random) {
  chunks = std::min(chunks, frames);
  std::vector<int64_t> order(chunks);
  std::iota(order.begin(), order.end(), 0);
  while (chunks > 1 && std::is_sorted(order.begin(), order.end()))
    order = random.permutation(chunks);
  FrameMap map;
  for (const int64_t chunk : order) {
    for (int64_t i = chunk * frames / chunks; i < (chunk + 1) * frames / chunks; ++i)
      map.push_back(i);
  }
  return map;
}

FrameMap fast(int64_t frames, double speed, int64_t start) {
  FrameMap run;
  for (int64_t i = start; i < frames;
       i = start + static_cast<int64_t>(speed * static_cast<double>(run.size())))
    run.push_back(i);
  FrameMap map(frames);
  for (int64_t i = 0; i < frames; ++i) map[i] = run[i % std::ssize(run)];
  return map;
}

void pick_frames(const float* clip, const ClipSize& size, const FrameMap& map, float* out) {
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t i = 0; i < size.frames; ++i, out += size.frame())
      std::copy_n(clip + c * size.plane() + map[i] * size.frame(), size.frame(), out);
  }
}

void TransformOptions::visit(OptionVisitor& v) const {
  v("of", of, "the transformations, drawn evenly with the clip as it is",
    one_of({"reverse", "shuffle", "speed"}));
  v("chunks", chunks, "parts that shuffle puts in another order", between(2, 64));
  v("speeds", speeds,
    "how many times as fast, drawn evenly; the frames there are play over and over",
    between(1.25, 16));
  if (of.empty() || std::set(of.begin(), of.end()).size() < of.size())
    throw UsageError(
        fmt::format("{}: of must name at least one transformation, each once", v.place()));
  if (speeds.empty())
    throw UsageError(
        fmt::format("{}: speeds is empty; give one, or take speed out of `of`", v.place()));
}

FrameMap TransformOptions::draw(int64_t which, int64_t frames, Random random) const {
  expect(which >= 0 && which < count(), "a transformation of the list");
  if (which == 0) return paced(frames, 1, 0);
  const std::string& name = of[which - 1];
  if (name == "reverse") return backwards(frames);
  if (name == "shuffle") return shuffled(frames, chunks, random);
  const double speed = speeds[random.below(std::ssize(speeds))];
  return fast(frames, speed, random.below(std::min(frames, static_cast<int64_t>(speed))));
}

Batch transform_each(const Batch& batch, const TransformOptions& options, const Random& random) {
  const ClipSize size = clip_size(batch);
  const auto transform = torch::empty({batch.clips.size(0)}, torch::kInt64);
  auto* which = transform.mutable_data_ptr<int64_t>();
  Batch changed =
      change_each(batch, random, [&](const float* clip, float* out, int64_t row, Random draw) {
        which[row] = draw.below(options.count());
        pick_frames(clip, size, options.draw(which[row], size.frames, draw), out);
      });
  changed.transform = transform;
  return changed;
}

}  // namespace distal
