#include "distal/data/sampling.h"

#include <set>

#include "distal/base/random.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

using Indices = std::vector<int64_t>;

Clip whole(const VideoInfo& info) { return {info.path, info.id, 0, info.duration_s}; }

SamplingOptions even(int64_t frames, int64_t jitter_steps = 8) {
  return {"even", frames, 2, jitter_steps};
}

TEST(Sampling, EvaluationTakesTheCentresOfEqualParts) {
  const auto video = steady_video(100, 25);
  // tick = 25: 12.5, 37.5, ...
  EXPECT_EQ(even(4).draw(video, whole(video), nullptr), (Indices{12, 37, 62, 87}));
  const auto odd = steady_video(10, 25);
  // tick = 10 / 3: 1.67, 5, 8.33
  EXPECT_EQ(even(3).draw(odd, whole(odd), nullptr), (Indices{1, 5, 8}));
  const auto short_video = steady_video(3, 25);
  // tick = 3 / 8: 0.19, 0.56, 0.94, 1.31, 1.69, 2.06, 2.44, 2.81
  EXPECT_EQ(even(8).draw(short_video, whole(short_video), nullptr),
            (Indices{0, 0, 0, 1, 1, 2, 2, 2}));
}

TEST(Sampling, JitterTakesEvenlySpacedPlacesOfEachPart) {
  const auto video = steady_video(80, 25);
  // Parts of 20 frames; 4 places: 20 (2k + 1) / 8 = 2, 7, 12, 17.
  EXPECT_EQ(even(4, 4).candidates(video, whole(video), true),
            (Indices{2, 7, 12, 17, 22, 27, 32, 37, 42, 47, 52, 57, 62, 67, 72, 77}));
  EXPECT_EQ(even(4, 1).candidates(video, whole(video), true), (Indices{10, 30, 50, 70}));
  EXPECT_EQ(even(4, 0).candidates(video, whole(video), true).size(), 80u);
  EXPECT_EQ(even(4, 50).candidates(video, whole(video), true).size(), 80u);
}

TEST(Sampling, DrawsEveryCandidateAndNothingElse) {
  for (const int64_t n : {1, 5, 16, 17, 61}) {
    for (const int64_t steps : {0, 1, 3}) {
      for (const char* rule : {"even", "dense"}) {
        const auto video = steady_video(n, 25);
        SamplingOptions options{rule, 4, 3, steps};
        std::set<int64_t> drawn;
        for (uint64_t i = 0; i < 400; ++i) {
          Random random(i);
          const auto indices = options.draw(video, whole(video), &random);
          ASSERT_EQ(indices.size(), 4u);
          EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
          drawn.insert(indices.begin(), indices.end());
        }
        EXPECT_EQ(Indices(drawn.begin(), drawn.end()),
                  options.candidates(video, whole(video), true))
            << rule << " " << n << " " << steps;
      }
    }
  }
}

TEST(Sampling, EachPartGivesOneFrame) {
  const auto video = steady_video(50, 25);
  for (uint64_t i = 0; i < 100; ++i) {
    Random random(i);
    const auto indices = even(4, 0).draw(video, whole(video), &random);
    const Indices begin = {0, 12, 25, 37, 50};  // floor(i * 12.5)
    for (size_t part = 0; part < 4; ++part) {
      EXPECT_GE(indices[part], begin[part]);
      EXPECT_LT(indices[part], begin[part + 1]);
    }
  }
}

TEST(Sampling, AClipHasTheFramesThatStartWithinIt) {
  const auto video = steady_video(100, 25);
  EXPECT_EQ(frames_of(video, {"", "", 1, 2}), std::pair(int64_t{25}, int64_t{50}));
  EXPECT_EQ(frames_of(video, {"", "", 1.0003, 1.9997}),
            std::pair(int64_t{25}, int64_t{50}));  // times kept in milliseconds
  EXPECT_EQ(frames_of(video, {"", "", 0, std::numeric_limits<double>::infinity()}),
            std::pair(int64_t{0}, int64_t{100}));
  EXPECT_EQ(frames_of(video, {"", "", 1.01, 1.02}),
            std::pair(int64_t{25}, int64_t{26}));  // within one frame
  EXPECT_EQ(frames_of(video, {"", "", 90, 91}), std::pair(int64_t{99}, int64_t{100}));
  EXPECT_EQ(even(4).draw(video, {"", "", 1, 2}, nullptr), (Indices{28, 34, 40, 46}));
}

TEST(Sampling, DenseTakesEveryStrideThFrame) {
  const auto video = steady_video(20, 25);
  SamplingOptions options{"dense", 4, 3, 0};
  // 10 frames from first to last leave 11 starts; the middle one is 5.
  EXPECT_EQ(options.draw(video, whole(video), nullptr), (Indices{5, 8, 11, 14}));
  const auto short_video = steady_video(5, 25);
  EXPECT_EQ(options.draw(short_video, whole(short_video), nullptr), (Indices{0, 3, 4, 4}));
  options.jitter_steps = 2;  // starts 11 (2k + 1) / 4 = 2, 8
  EXPECT_EQ(options.candidates(video, whole(video), true), (Indices{2, 5, 8, 11, 14, 17}));
}

TEST(FramesOf, ARowOfOneFrameIsThatFrameAtAnyRate) {
  for (const double rate : {25.0, 900.0, 2000.0, 20000.0}) {
    const VideoInfo info = steady_video(30, rate);
    EXPECT_EQ(frames_of(info, whole(info)), std::pair(int64_t{0}, int64_t{30})) << rate;
    for (int64_t i = 0; i < 30; ++i) {
      const double end_s = i + 1 < 30 ? info.time_s[static_cast<size_t>(i + 1)] : info.duration_s;
      const Clip row{info.path, info.id, info.time_s[static_cast<size_t>(i)], end_s};
      EXPECT_EQ(frames_of(info, row), std::pair(i, i + 1)) << rate;
    }
  }
}

}  // namespace
}  // namespace distal
