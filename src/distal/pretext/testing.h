#pragma once
// Helpers for tests of this room: generated views from which every task can be learned, and a small
// network.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "distal/pretext/taco.h"

namespace distal {

// Uses one thread: with small networks on a busy machine, threads that wait for each other cost ten
// times as much.
[[maybe_unused]] inline const bool kOneThread = (at::set_num_threads(1), true);

constexpr int64_t kFrames = 4;
constexpr int64_t kSize = 16;

/// float32 [count, 3, frames, 16, 16]. A square moves right and becomes brighter with time. The
/// background is light above and dark below. Every frame therefore shows the orientation, and every
/// two frames show their order.
inline torch::Tensor moving_squares(int64_t count, int64_t frames, Random random) {
  const torch::Tensor ground =
      torch::linspace(0.5, -0.5, kSize).view({kSize, 1}).expand({kSize, kSize});
  const torch::Tensor views = torch::empty({count, 3, frames, kSize, kSize});
  views.copy_(ground);
  for (int64_t i = 0; i < count; ++i) {
    const double first = random.uniform(-0.8, -0.7);
    const int64_t left = random.below(kSize);
    const int64_t top = random.below(kSize / 2);
    for (int64_t t = 0; t < frames; ++t) {
      for (int64_t x = 0; x < kSize / 2; ++x)
        views[i]
            .select(1, t)
            .narrow(1, top, kSize / 2)
            .select(2, (left + t + x) % kSize)
            .fill_(first + 1.6 * static_cast<double>(t) / static_cast<double>(frames));
    }
  }
  return views;
}

/// Two views of each of the clips `first_row` to `first_row + count - 1`, without labels.
inline Batch views_of(int64_t count, int64_t frames, const Random& random, int64_t first_row = 0) {
  Batch batch;
  batch.clips = moving_squares(count, frames, random.stream("first"));
  batch.second = moving_squares(count, frames, random.stream("second"));
  batch.rows = torch::arange(first_row, first_row + count, torch::kInt64);
  return batch;
}

inline Model small_net(uint64_t seed = 1) {
  return make<Backbone>("resnet3d", "depth: 10, width: 4")->build(2, Random(seed));
}

inline PretextOptions pretext_options(const std::string& yaml) {
  PretextOptions options;
  read_options(options, "{dim: 8, hidden: 16, " + yaml + "}", "test");
  return options;
}

/// A Taco for clips of kFrames frames of a pool of 64 clips.
inline Taco taco_for(const std::string& yaml, const Net& net) {
  return Taco(
      pretext_options(yaml), net, [] { return small_net(9); }, kFrames, 64, Random(3));
}

}  // namespace distal
