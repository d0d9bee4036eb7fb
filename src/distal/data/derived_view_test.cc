#include <set>

#include "distal/data/derived_view.h"

#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

torch::Tensor grey(int64_t frames, int64_t height, int64_t width, int value) {
  return torch::full({frames, height, width, 3}, value, torch::kUInt8);
}

TEST(DerivedView, AMixIsTheRoundedShareOfBothCentres) {
  auto a = torch::randint(0, 256, {3, 10, 16, 3}, torch::kUInt8);
  auto b = torch::randint(0, 256, {3, 12, 10, 3}, torch::kUInt8);
  const auto mix = mix_views(FrameView::of(a), FrameView::of(b), 0.3, 0).tensor();
  const auto expected =
      (0.3 * a.narrow(2, 3, 10).to(torch::kFloat64) + 0.7 * b.narrow(1, 1, 10).to(torch::kFloat64));
  ASSERT_EQ(mix.sizes(), (torch::IntArrayRef{3, 10, 10, 3}));
  EXPECT_LE((mix.to(torch::kFloat64) - expected).abs().max().item<double>(), 0.501);
}

TEST(DerivedView, AFadingMixGoesFromOneToTheOther) {
  const auto mix =
      mix_views(FrameView::of(grey(5, 8, 8, 200)), FrameView::of(grey(5, 8, 8, 0)), 0.4, 0.5)
          .tensor();
  for (int64_t t = 0; t < 5; ++t)
    EXPECT_NEAR(mix[t][0][0][0].item<int>(), 200 * (0.4 + (t - 2) / 2.0 * 0.2), 0.51) << t;
}

TEST(DerivedView, ClipsOfOtherLengthsDoNotMix) {
  EXPECT_THAT(error_of([] {
                mix_views(FrameView::of(grey(4, 8, 8, 0)), FrameView::of(grey(5, 8, 8, 0)), 0.5, 0);
              }),
              HasSubstr("of 4 and of 5 frames"));
}

TEST(DerivedView, ACutIsTheSameSquareInEveryFrame) {
  const auto frames = torch::arange(16 * 20)
                          .view({1, 16, 20, 1})
                          .expand({2, 16, 20, 3})
                          .remainder(251)
                          .to(torch::kUInt8)
                          .contiguous();
  std::set<int64_t> sides;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto cut = cut_view(FrameView::of(frames), Random(seed)).tensor();
    EXPECT_TRUE(cut[0].equal(cut[1]));
    EXPECT_EQ(cut.size(1), cut.size(2));
    sides.insert(cut.size(1));
    EXPECT_EQ((cut[0][1][0][0].item<int>() - cut[0][0][0][0].item<int>() + 251) % 251, 20)
        << "rows follow one another as in the source";
  }
  EXPECT_EQ(*sides.rbegin(), 16);
  EXPECT_GE(*sides.begin(), 12);
  EXPECT_GT(sides.size(), 2u);
}

TEST(DerivedView, IsTheSameInEveryReadingAndInTrainingToo) {
  TemporaryFolder folder;
  SyntheticOptions options;
  options.frames = 16;
  Clip a, b;
  for (auto [clip, name] : {std::pair{&a, "a.mp4"}, {&b, "b.mp4"}}) {
    write_motion(folder / name, motions()[clip == &a ? 0 : 1], 3, options);
    const VideoInfo info = probe(folder / name);
    *clip = {folder / name, info.id, 0, info.duration_s, info.id, 0};
  }
  InputOptions input;
  input.size_px = 32;
  input.sampling.frames = 4;
  input.sampling.jitter_steps = 2;
  ClipReader reader(input, {folder / "cache", 1});
  Clip view = a;
  view.view = 2;
  const Clip mix = mixed_clip(a, b, 0.3);
  for (const Clip& clip : {view, mix}) {
    Random first(1);
    Random second(2);
    const auto centre = reader.read(clip, nullptr, false);
    EXPECT_TRUE(centre.equal(reader.read(clip, &first, true)));
    EXPECT_TRUE(centre.equal(reader.read(clip, &second, true)));
    EXPECT_FALSE(centre.equal(reader.read(a, nullptr, false)));
  }
  std::set<int64_t> sides;
  for (view.view = 1; view.view <= 10; ++view.view)
    sides.insert(reader.read(view, nullptr, false).size(1));
  EXPECT_GT(sides.size(), 2u) << "each view is cut in its own way";
}

TEST(DerivedView, AViewsFramesAndCutAreDrawnFromItsKey) {
  TemporaryFolder folder;
  InputOptions input;
  input.sampling.frames = 4;
  ClipReader reader(input, {folder / "cache", 1});
  const Clip clip{numbered(folder, "a.mp4")};
  Clip view = clip;
  view.view = 1;
  Random frames = Random(fnv1a(view.key())).stream("view");
  const Random cut = frames.stream("cut");
  EXPECT_TRUE(reader.read(view, nullptr, false)
                  .equal(cut_view(reader.view(clip, &frames, true), cut).tensor()));
}

TEST(DerivedView, AMixOfABadVideoPutsThatVideoAside) {
  TemporaryFolder folder;
  Clip good{numbered(folder, "good.mp4")};
  Clip bad{folder.write("bad.mp4", "this is no video")};
  InputOptions input;
  input.sampling.frames = 4;
  ClipReader reader(input, {folder / "cache", 1});
  EXPECT_THAT(error_of([&] { reader.read(mixed_clip(good, bad, 0.5), nullptr, false); }),
              HasSubstr("bad.mp4"));
  ASSERT_EQ(reader.quarantined().size(), 1u);
  EXPECT_EQ(reader.quarantined()[0].path, bad.video);
}

}  // namespace
}  // namespace distal
