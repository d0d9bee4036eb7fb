#include "distal/data/augment.h"

#include <set>

#include <ATen/ops/upsample_bilinear2d.h>

#include "distal/base/random.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

torch::Tensor noise(int64_t frames, int64_t height, int64_t width, uint64_t seed = 1) {
  auto tensor = torch::empty({frames, height, width, 3}, torch::kUInt8);
  Random random(seed);
  auto* bytes = tensor.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < tensor.numel(); ++i) bytes[i] = static_cast<uint8_t>(random.below(256));
  return tensor;
}

torch::Tensor normalised(const torch::Tensor& frames) {
  return frames.permute({3, 0, 1, 2}).to(torch::kFloat32) / 127.5 - 1;
}

TEST(Augment, ACentreCropOfTheSameSizeOnlyNormalises) {
  const auto frames = noise(3, 16, 22);
  EXPECT_TRUE(torch::allclose(centre(frames, 16), normalised(frames.narrow(2, 3, 16)), 0, 1e-6));
}

TEST(Augment, ScalesAsBilinearInterpolationWithHalfPixelCentres) {
  for (const int64_t size : {2, 7, 12, 14, 16, 21, 40}) {
    const auto frames = noise(2, 16, 16);
    const auto planes = normalised(frames).permute({1, 0, 2, 3}).contiguous();
    const auto expected = at::upsample_bilinear2d(planes, {size, size}, /*align_corners=*/false)
                              .permute({1, 0, 2, 3});
    EXPECT_TRUE(torch::allclose(centre(frames, size), expected, 1e-5, 1e-5)) << size;
  }
}

TEST(Augment, TheSameRandomGivesTheSameClip) {
  const auto frames = noise(4, 20, 30);
  AugmentOptions options;
  options.flip = 0.5;
  options.brightness = 0.3;
  options.contrast = 0.3;
  options.saturation = 0.3;
  Random a(5);
  Random b(5);
  Random c(6);
  const auto first = augment(frames, 16, options, a);
  const auto again = augment(frames, 16, options, b);
  const auto other = augment(frames, 16, options, c);
  EXPECT_TRUE(first.clip.equal(again.clip));
  EXPECT_EQ(first.flipped, again.flipped);
  EXPECT_FALSE(first.clip.equal(other.clip));
}

TEST(Augment, EveryFrameOfAClipIsTreatedAlike) {
  const auto frame = noise(1, 20, 30);
  const auto still = frame.expand({5, 20, 30, 3}).contiguous();
  AugmentOptions options;
  options.flip = 0.5;
  options.brightness = 0.4;
  options.contrast = 0.4;
  options.saturation = 0.4;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const auto clip = augment(still, 16, options, random).clip;
    for (int64_t t = 1; t < 5; ++t) EXPECT_TRUE(clip.select(1, t).equal(clip.select(1, 0)));
  }
}

TEST(Augment, AFlipMirrorsTheCropAndTellsSo) {
  const auto frames = noise(2, 20, 20);
  AugmentOptions options;
  options.scales = {0.75};
  Random a(3);
  Random b(3);
  const auto plain = augment(frames, 13, options, a);
  options.flip = 1;
  const auto mirrored = augment(frames, 13, options, b);
  EXPECT_FALSE(plain.flipped);
  EXPECT_TRUE(mirrored.flipped);
  EXPECT_TRUE(torch::allclose(mirrored.clip, plain.clip.flip({3}), 0, 1e-5));
}

TEST(Augment, DrawsEveryScaleAndStaysInsideTheFrame) {
  AugmentOptions options;
  std::set<int64_t> sides;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const auto draw = draw_augment(64, 85, options, random);
    sides.insert(draw.side);
    EXPECT_LE(draw.top + draw.side, 64);
    EXPECT_LE(draw.left + draw.side, 85);
  }
  EXPECT_EQ(sides, (std::set<int64_t>{64, 56, 48}));
  options.scales.clear();
  Random random(1);
  EXPECT_EQ(draw_augment(64, 84, options, random).left, 10);
}

TEST(Augment, ColourFollowsItsFormula) {
  const auto frames = noise(2, 8, 8);
  AugmentDraw draw = centre_draw(8, 8);
  draw.brightness = 0.8;
  draw.contrast = 0.7;
  draw.saturation = 0.5;
  auto clip = torch::empty({3, 2, 8, 8});
  apply_augment(FrameView::of(frames), draw, 8, clip.mutable_data_ptr<float>());
  const auto grey = [](const torch::Tensor& v) {
    return 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
  };
  auto v = frames.permute({3, 0, 1, 2}).to(torch::kFloat64) * 0.8;
  v = (v - grey(v).mean()) * 0.7 + grey(v).mean();
  v = grey(v) + (v - grey(v)) * 0.5;
  EXPECT_TRUE(torch::allclose(clip.to(torch::kFloat64), v.clamp(0, 255) / 127.5 - 1, 0, 1e-5));
}

TEST(Augment, ReadsFramesThatDoNotFollowOneAnother) {
  const auto frames = noise(6, 16, 16);
  const auto view = FrameView::of(frames);
  FrameView picked = view;
  picked.frames = {view.frames[4], view.frames[1]};
  const auto expected = frames.index_select(0, torch::tensor({4, 1}));
  EXPECT_TRUE(picked.tensor().equal(expected));
  EXPECT_TRUE(torch::allclose(centre(frames.slice(0, 1, 6, 2), 16),
                              normalised(frames.slice(0, 1, 6, 2)), 0, 1e-6));
}

TEST(Augment, AFlipMapExchangesTheNamedClasses) {
  AugmentOptions options;
  options.flip_labels = {"left:right"};
  options.resolve({{"down", "left", "right", "up"}});
  EXPECT_EQ(options.flip_map, (std::vector<int64_t>{0, 2, 1, 3}));
  options.flip_labels = {"left-right"};
  EXPECT_THAT(error_of([&] {
                options.resolve({{"left", "right"}});
              }),
              HasSubstr("'left-right' is not a pair"));
  options.flip_labels = {"left:wright"};
  EXPECT_THAT(error_of([&] {
                options.resolve({{"left", "right"}});
              }),
              HasSubstr("'wright' in 'left:wright' is no class, the classes are left, right"));
  options.flip_labels = {"a:b", "b:c"};
  EXPECT_THAT(error_of([&] {
                options.resolve({{"a", "b", "c"}});
              }),
              HasSubstr("'b' stands in two pairs"));
}

TEST(Augment, WarnsOfFlipsWhereClassesNameASide) {
  AugmentOptions options;
  const Classes sided{{"clap", "swipe_left", "TurnRight", "LEFT"}};
  const Classes plain{{"upright", "leftover", "bright light"}};
  EXPECT_EQ(options.flip_warning(sided), "") << "nothing is flipped";
  options.flip = 0.5;
  EXPECT_THAT(options.flip_warning(sided),
              HasSubstr("the label of swipe_left, TurnRight, LEFT stays"));
  EXPECT_EQ(options.flip_warning(plain), "");
  options.flip_labels = {"swipe_left:TurnRight"};
  EXPECT_EQ(options.flip_warning(sided), "");
}

}  // namespace
}  // namespace distal
