// The promises of every augmentation family, and the numbers of each worked by hand.

#include <set>

#include "distal/base/catalogue.h"
#include "distal/base/document.h"
#include "distal/data/augment.h"
#include "distal/data/augment_frames.h"
#include "distal/data/augment_pixels.h"
#include "distal/data/batches.h"
#include "distal/data/conformance.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using namespace augmentation_suite;

// All truth known, class i for clip i, whose voxels are all `values[i]`.
Batch even_clips(const std::vector<float>& values, int64_t frames = 4, int64_t height = 6,
                 int64_t width = 8) {
  const int64_t count = std::ssize(values);
  Batch batch = batch_of(torch::empty({count, 3, frames, height, width}));
  batch.targets = torch::zeros({count, count});
  batch.teacher = torch::full({count, count}, kNaN);
  for (int64_t i = 0; i < count; ++i) {
    batch.clips[i].fill_(values[i]);
    batch.targets[i][i] = 1;
  }
  return batch;
}

// Frame t is t / 10 everywhere.
Batch numbered_clips(int64_t count, int64_t frames) {
  Batch batch = batch_of(torch::empty({count, 3, frames, 2, 3}));
  for (int64_t t = 0; t < frames; ++t) batch.clips.select(2, t).fill_(static_cast<double>(t) / 10);
  return batch;
}
FrameMap frames_of(const torch::Tensor& clip) {  // of a numbered clip [3, T, H, W]
  FrameMap map;
  for (int64_t t = 0; t < clip.size(1); ++t)
    map.push_back(std::llround(10 * clip[0][t][0][0].item<double>()));
  return map;
}

Batch augmented(const Batch& batch, const std::string& name, const std::string& options = "",
                uint64_t seed = 3) {
  return make<Augmentation>(name, options)->apply(batch, Random(seed));
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<Augmentation>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryAugmentation, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Augmentations, AreFoundByTheirFileNames) {
  EXPECT_THAT(names(), IsSupersetOf({"cutmix", "fade", "mixup", "none", "randaugment_t", "spatial",
                                     "task_aware", "temporal_naive", "temporal_safe"}));
}

TEST(Augmentations, DeclareWhichOfTheirTransformsMayChangeTheClass) {
  for (const auto& name : names()) {
    const bool naive = name == "temporal_naive" || name == "task_aware";
    EXPECT_EQ(!make<Augmentation>(name)->label_changing().empty(), naive) << name;
  }
  EXPECT_THAT(make<Augmentation>("temporal_naive", "of: [reverse, speed]")->label_changing(),
              ElementsAre("reverse", "speed"));
  EXPECT_EQ(make<Augmentation>("task_aware", "of: [reverse, speed], weight: 0.5")->head_classes(),
            3);
}

TEST(Augmentations, RefuseOptionsThatCannotBeMeant) {
  EXPECT_THAT(error_of([] { make<Augmentation>("temporal_naive", "of: []"); }),
              HasSubstr("at least one transformation"));
  EXPECT_THAT(error_of([] { make<Augmentation>("task_aware", "of: [reverse, reverse]"); }),
              HasSubstr("each once"));
  EXPECT_THAT(error_of([] { make<Augmentation>("temporal_naive", "speeds: []"); }),
              HasSubstr("speeds is empty"));
  EXPECT_THAT(error_of([] { make<Augmentation>("cutmix", "cuboid: []"); }),
              HasSubstr("cuboid is empty"));
  EXPECT_THAT(error_of([] { make<Augmentation>("randaugment_t", "of: [rotat]"); }),
              HasSubstr("did you mean rotate?"));
}

TEST(Augmentations, NoneIsTheBatchItself) {
  const Batch batch = batch_of(noise({4, 3, 2, 4, 4}));
  EXPECT_TRUE(augmented(batch, "none").clips.is_same(batch.clips));
}

// ---- in time ----------------------------------------------------------------

TEST(FrameMaps, AreTheirFormulas) {
  EXPECT_THAT(paced(8, 1, 0), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(paced(8, 1.25, 0),
              ElementsAre(0, 0, 2, 3, 4, 5, 7,
                          7));  // round(3.5 + 1.25 (i - 3.5)): -1 0 2 3 4 5 7 8, held at the ends
  EXPECT_THAT(paced(8, 0.8, 0),
              ElementsAre(1, 2, 2, 3, 4, 5, 6, 6));  // 0.7 1.5 2.3 3.1 3.9 4.7 5.5 6.3
  EXPECT_THAT(paced(4, 1, 1), ElementsAre(1, 2, 3, 3));
  EXPECT_THAT(paced(4, 1, -2), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(paced(1, 2, 0.3), ElementsAre(0));
  EXPECT_THAT(backwards(4), ElementsAre(3, 2, 1, 0));
  EXPECT_THAT(fast(8, 2, 1), ElementsAre(1, 3, 5, 7, 1, 3, 5, 7));
  EXPECT_THAT(fast(8, 3, 0), ElementsAre(0, 3, 6, 0, 3, 6, 0, 3));
  EXPECT_THAT(fast(5, 1.5, 0), ElementsAre(0, 1, 3, 4, 0));
  EXPECT_THAT(fast(4, 3, 0), ElementsAre(0, 3, 0, 3)) << "not 0 3 2 1";
  EXPECT_THAT(dropped(5, 0, Random(1)), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(dropped(3, 1, Random(1)), ElementsAre(0, 0, 0));
}

TEST(FrameMaps, ShuffleMovesWholeChunksAndNeverLeavesThemInOrder) {
  std::set<FrameMap> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const FrameMap map = shuffled(8, 4, Random(seed));
    for (int64_t i = 0; i < 8; i += 2) EXPECT_TRUE(map[i] % 2 == 0 && map[i + 1] == map[i] + 1);
    EXPECT_EQ(std::set<int64_t>(map.begin(), map.end()).size(), 8u);
    seen.insert(map);
  }
  EXPECT_EQ(seen.size(), 23u) << "4! orders less the one they have";
  EXPECT_THAT(shuffled(2, 4, Random(1)), ElementsAre(1, 0));
  EXPECT_THAT(shuffled(1, 4, Random(1)), ElementsAre(0));
  const FrameMap uneven = shuffled(7, 4, Random(3));
  EXPECT_EQ(std::set<int64_t>(uneven.begin(), uneven.end()).size(), 7u);
}

TEST(FrameMaps, ALostFrameIsShownAsTheOneBeforeIt) {
  int64_t lost = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const FrameMap map = dropped(11, 0.3, Random(seed));
    EXPECT_EQ(map[0], 0);
    for (int64_t i = 1; i < 11; ++i) {
      EXPECT_TRUE(map[i] == i || map[i] == map[i - 1]);
      lost += map[i] != i;
    }
  }
  EXPECT_NEAR(static_cast<double>(lost) / 1000, 0.3, 0.06);
}

TEST(TemporalSafe, KeepsTheOrderOfTheFrames) {
  const Batch batch = numbered_clips(64, 8);
  const Batch after = augmented(batch, "temporal_safe");
  std::set<FrameMap> seen;
  for (int64_t row = 0; row < 64; ++row) {
    const FrameMap map = frames_of(after.clips[row]);
    EXPECT_TRUE(std::is_sorted(map.begin(), map.end()));
    EXPECT_GE(map.back() - map.front(), 1);
    seen.insert(map);
  }
  EXPECT_GT(seen.size(), 20u) << "each clip has a draw of its own";
  EXPECT_TRUE(
      same(batch, augmented(batch, "temporal_safe", "jitter: 0, slowest: 1, fastest: 1, drop: 0")));
}

TEST(TaskAware, SaysWhichTransformationEachClipWentThrough) {
  const Batch after =
      augmented(numbered_clips(200, 8), "task_aware", "of: [speed, reverse, shuffle], speeds: [2]");
  std::vector<int64_t> counts(4);
  for (int64_t row = 0; row < 200; ++row) {
    const FrameMap map = frames_of(after.clips[row]);
    const auto which = after.transform[row].item<int64_t>();
    ++counts[which];
    if (which == 0) {
      EXPECT_EQ(map, paced(8, 1, 0));
    } else if (which == 1) {
      EXPECT_TRUE(map == fast(8, 2, 0) || map == fast(8, 2, 1));
    } else if (which == 2) {
      EXPECT_EQ(map, backwards(8));
    } else {
      EXPECT_FALSE(std::is_sorted(map.begin(), map.end()));
      EXPECT_EQ(std::set<int64_t>(map.begin(), map.end()).size(), 8u);
    }
  }
  EXPECT_THAT(counts, Each(::testing::AllOf(::testing::Gt(30), ::testing::Lt(70))));
}

TEST(TemporalNaive, DoesTheSameAndTellsNobody) {
  const Batch batch = numbered_clips(16, 8);
  const Batch naive = augmented(batch, "temporal_naive");
  const Batch aware = augmented(batch, "task_aware");
  EXPECT_TRUE(naive.clips.equal(aware.clips));
  EXPECT_FALSE(naive.transform.defined());
  EXPECT_TRUE(same(naive.targets, batch.targets)) << "the label stays";
}

// ---- mixes ------------------------------------------------------------------

TEST(Mixes, PartnersAreKnownAlikeAndTakeTurns) {
  Batch batch = batch_of(
      noise({9, 3, 1, 2, 2}));  // pairs 0 1, 2 3, 4 5, 6 7 are known alike, and 8 is as 0 and 1
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto with = partners(batch, Random(seed));
    EXPECT_EQ(std::set<int64_t>(with.begin(), with.end()).size(), 9u)
        << "each is the second of one mix";
    for (const int64_t row : {2, 4, 6}) EXPECT_TRUE(with[row] == row + 1 && with[row + 1] == row);
    for (const int64_t row : {0, 1, 8})
      EXPECT_TRUE(with[row] != row && (with[row] < 2 || with[row] == 8));
  }
  batch = batch_of(noise({3, 3, 1, 2, 2}));
  EXPECT_EQ(partners(batch, Random(1))[2], 2) << "alone in its circle";
}

TEST(Mixes, AClipWithoutAPartnerStaysAsItIs) {
  const Batch batch = even_clips({0.5f});
  for (const char* name : {"mixup", "cutmix", "fade"})
    EXPECT_TRUE(same(batch, augmented(batch, name))) << name;
}

TEST(Mixes, HappenWithTheirProbability) {
  const Batch batch = even_clips(std::vector<float>(100, 0.25f));
  for (const char* name : {"mixup", "cutmix", "fade"}) {
    EXPECT_TRUE(same(batch, augmented(batch, name, "probability: 0"))) << name;
    const auto mixed = augmented(batch, name, "alpha: 1, probability: 0.5")
                           .targets.amax(1)
                           .lt(1)
                           .sum()
                           .item<int64_t>();
    EXPECT_GT(mixed, 25) << name;  // a cuboid may be empty
    EXPECT_LT(mixed, 65) << name;
  }
}

// Clips of 1 and of 0 everywhere: a mix's mean voxel is the share of the clips of 1.
TEST(Mixes, ChangeTruthAndTeacherByTheExactShareOfTheVoxels) {
  for (const char* name : {"mixup", "cutmix", "fade"}) {
    std::set<float> shares;
    for (uint64_t seed = 0; seed < 100; ++seed) {
      Batch batch = even_clips({1, 0});
      batch.teacher = torch::tensor({0.9f, 0.1f, 0.2f, 0.8f}).view({2, 2});
      const Batch mixed = augmented(batch, name, "alpha: 1", seed);
      for (int64_t row = 0; row < 2; ++row) {
        const double ones = mixed.clips[row].to(torch::kFloat64).mean().item<double>();
        EXPECT_NEAR(mixed.targets[row][0].item<double>(), ones, 1e-6) << name;
        EXPECT_NEAR(mixed.targets[row][1].item<double>(), 1 - ones, 1e-6) << name;
        EXPECT_NEAR(mixed.teacher[row][0].item<double>(), 0.9 * ones + 0.2 * (1 - ones), 1e-6)
            << name;
        shares.insert(mixed.targets[row][0].item<float>());
      }
    }
    EXPECT_GT(shares.size(), 20u) << name << ": each mix has a draw of its own";
  }
}

TEST(Mixup, BlendsEveryVoxelAlike) {
  const Batch batch = even_clips({0.75f, -0.25f});
  const Batch mixed = augmented(batch, "mixup", "alpha: 1");
  const double lambda = mixed.targets[0][0].item<double>();
  EXPECT_GT(lambda, 0);
  EXPECT_LT(lambda, 1);
  EXPECT_TRUE(
      torch::allclose(mixed.clips[0], torch::full_like(mixed.clips[0], -0.25 + lambda), 0, 1e-6));
}

TEST(Cutmix, PastesOneCuboidOfItsKind) {
  for (const std::string kind : {"spatial", "temporal", "spatio_temporal"}) {
    int64_t pasted = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const auto ones =
          augmented(even_clips({0, 1}, 5, 6, 9), "cutmix", "cuboid: [" + kind + "], alpha: 1", seed)
              .clips[0];
      const auto count = [&](const torch::Tensor& axis) {
        return axis.gt(0).sum().item<int64_t>();
      };
      const auto t = count(ones[0].amax({1, 2}));
      const auto y = count(ones[0].amax({0, 2}));
      const auto x = count(ones[0].amax({0, 1}));
      EXPECT_EQ(count(ones), 3 * t * y * x) << "a cuboid, the same in every channel";
      if (t * y * x == 0) continue;
      ++pasted;
      EXPECT_TRUE(kind != "spatial" || t == 5);
      EXPECT_TRUE(kind != "temporal" || (y == 6 && x == 9));
    }
    EXPECT_GT(pasted, 20) << kind;
  }
}

TEST(Fade, MovesEvenlyFromOneLambdaToAnother) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Batch mixed = augmented(even_clips({1, 0}, 5), "fade", "", seed);
    const auto of_time = mixed.clips[0][0].select(1, 0).select(1, 0).to(torch::kFloat64);
    const auto steps = of_time.slice(0, 1) - of_time.slice(0, 0, 4);
    EXPECT_TRUE(torch::allclose(steps, steps[0].expand({4}), 0, 1e-6));
    EXPECT_NEAR(of_time.mean().item<double>(), mixed.targets[0][0].item<double>(), 1e-6);
  }
}

// ---- in space ---------------------------------------------------------------

// 3 x 3 pixels 1 .. 9 over 10, one frame, three like channels.
torch::Tensor nine() {
  return (torch::arange(1, 10, torch::kFloat32) / 10)
      .view({1, 1, 1, 3, 3})
      .expand({1, 3, 1, 3, 3})
      .contiguous();
}

torch::Tensor warped(const torch::Tensor& clips, const Window& window) {
  const ClipSize size = clip_size(batch_of(clips));
  auto out = torch::empty_like(clips);
  for (int64_t t = 0; t < size.frames; ++t)
    warp_frame(clips.const_data_ptr<float>(), size, t, affine_of(window, size),
               out.mutable_data_ptr<float>());
  return out;
}

TEST(Warp, MovesTurnsAndScales) {
  const auto clips = nine();
  const ClipSize size = clip_size(batch_of(clips));
  EXPECT_TRUE(warped(clips, whole(size)).equal(clips));
  Window window = whole(size);
  window.x += 1;  // what was right of the middle is in the middle
  EXPECT_TRUE(torch::allclose(
      warped(clips, window)[0][0][0] * 10,
      torch::tensor({2.f, 3.f, 0.f, 5.f, 6.f, 0.f, 8.f, 9.f, 0.f}).view({3, 3}), 0, 1e-5));
  window = whole(size);
  window.turned_degrees = 90;
  EXPECT_TRUE(torch::allclose(
      warped(clips, window)[0][1][0] * 10,
      torch::tensor({3.f, 6.f, 9.f, 2.f, 5.f, 8.f, 1.f, 4.f, 7.f}).view({3, 3}), 0, 1e-5))
      << "counter-clockwise";
  window = {0.5, 0.5, 2, 2};  // the upper left four pixels, 1 2 4 5: from -1/6, 1/2 and 7/6, the
                              // outer two held at the border and at 7/6
  const auto zoomed = warped(clips, window)[0][2][0] * 10;
  EXPECT_NEAR(zoomed[0][0].item<float>(), 1, 1e-5);
  EXPECT_NEAR(zoomed[1][1].item<float>(), 3, 1e-5);
  EXPECT_NEAR(zoomed[2][2].item<float>(), 1 + 7.0 / 6 * 4, 1e-5);
}

TEST(Spatial, TreatsEveryFrameOfAClipAlikeAndEveryClipByItself) {
  const Batch batch = batch_of(noise({1, 3, 1, 9, 9}).expand({6, 3, 5, 9, 9}).contiguous());
  const Batch after = augmented(batch, "spatial", "rotate_degrees: 10");
  for (int64_t t = 1; t < 5; ++t)
    EXPECT_TRUE(after.clips.select(2, t).equal(after.clips.select(2, 0)));
  for (int64_t row = 1; row < 6; ++row) EXPECT_FALSE(after.clips[row].equal(after.clips[0]));
  EXPECT_TRUE(same(batch, augmented(batch, "spatial", "area: 1, aspect: 1")));
}

TEST(RandAugmentT, DoesNothingAtMagnitudeNothing) {
  const Batch batch = batch_of(noise({3, 3, 4, 6, 7}));
  for (const std::string name : {"brightness", "contrast", "saturation", "translate_x",
                                 "translate_y", "scale", "rotate", "solarise", "cutout"})
    EXPECT_TRUE(torch::allclose(
        batch.clips, augmented(batch, "randaugment_t", "magnitude: 0, of: [" + name + "]").clips, 0,
        1e-6))
        << name;
}

TEST(RandAugmentT, MovesItsMagnitudeEvenlyOverTime) {
  const Batch batch = batch_of(
      torch::full({8, 3, 5, 2, 2}, -0.75f));  // v + 1 = 0.25: a factor up to 1.9 stays in range
  const auto after = augmented(batch, "randaugment_t", "operations: 1, of: [brightness]").clips;
  std::set<bool> signs;
  for (int64_t row = 0; row < 8; ++row) {
    const auto factor = (after[row][0].select(1, 0).select(1, 0).to(torch::kFloat64) + 1) / 0.25;
    const auto steps = factor.slice(0, 1) - factor.slice(0, 0, 4);
    EXPECT_TRUE(torch::allclose(steps, steps[0].expand({4}), 0, 1e-5));
    EXPECT_GT(steps[0].abs().item<double>(), 0);
    EXPECT_GE(factor.min().item<double>(), 0.1 - 1e-6);
    EXPECT_LE(factor.max().item<double>(), 1.9 + 1e-6);
    EXPECT_TRUE((factor >= 1).all().item<bool>() || (factor <= 1).all().item<bool>())
        << "one sign for all frames";
    signs.insert(factor[0].item<double>() > 1);
  }
  EXPECT_EQ(signs.size(), 2u);
}

TEST(RandAugmentT, ColoursFollowTheirFormulas) {
  const Batch batch = batch_of(0.3 * noise({4, 3, 1, 6, 6}));
  const auto grey = [](const torch::Tensor& v) {
    return 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
  };
  for (const std::string name : {"contrast", "saturation"}) {
    const auto after = augmented(batch, "randaugment_t", "operations: 1, of: [" + name + "]").clips;
    for (int64_t row = 0; row < 4; ++row) {
      const auto v = batch.clips[row];
      const auto about = name == "contrast" ? grey(v).mean().expand_as(v) : grey(v).expand_as(v);
      const double factor = ((after[row] - about) / (v - about)).median().item<double>();
      EXPECT_TRUE(torch::allclose(after[row], about + (v - about) * factor, 0, 1e-5)) << name;
    }
  }
  const Batch high = batch_of(noise({6, 3, 1, 6, 6}));
  const auto solarised = augmented(high, "randaugment_t", "operations: 1, of: [solarise]").clips;
  EXPECT_TRUE(solarised.abs().equal(high.clips.abs()));
  const auto turned = solarised != high.clips;
  for (int64_t row = 0; row < 6; ++row) {
    const auto above =
        torch::where(turned[row], high.clips[row], torch::ones_like(high.clips[row])).min();
    const auto below =
        torch::where(turned[row], -torch::ones_like(high.clips[row]), high.clips[row]).max();
    EXPECT_GE(above.item<float>(), below.item<float>()) << "all above a threshold, none below";
  }
}

TEST(RandAugmentT, CutsOutASquareThatStaysInItsPlace) {
  const auto after = augmented(batch_of(torch::ones({8, 3, 6, 16, 16})), "randaugment_t",
                               "operations: 1, of: [cutout]")
                         .clips;
  for (int64_t row = 0; row < 8; ++row) {
    const auto holes = after[row][0] == 0;
    EXPECT_TRUE((after[row] == 0).logical_or(after[row] == 1).all().item<bool>());
    const auto areas = holes.sum({1, 2});
    EXPECT_LE(areas.max().item<int64_t>(), 64);
    const auto largest = holes[areas.argmax().item<int64_t>()];
    for (int64_t t = 0; t < 6; ++t)
      EXPECT_FALSE(holes[t].logical_and(largest.logical_not()).any().item<bool>())
          << "squares about one centre";
  }
}

// ---- in the batches of a training -------------------------------------------

class FamilyBatches : public ::testing::Test {
 protected:
  FamilyBatches() {
    SyntheticOptions video;
    video.frames = 12;
    for (int i = 0; i < 5; ++i) {
      write_motion(path(i), motions()[i % 4], i, video);
      Sample sample{{path(i)}, {0, 0}};
      sample.target[i % 2] = 1;
      samples_.push_back(sample);
    }
  }
  std::string path(int i) const { return folder_ / fmt::format("{}.mp4", i); }

  std::unique_ptr<TrainingBatches> batches(const std::string& family, int64_t first_step,
                                           int64_t threads) {
    AugmentOptions augment;
    augment.flip = 0.5;
    if (!family.empty()) read_options(augment.family, "{name: " + family + "}", "test");
    return std::make_unique<TrainingBatches>(reader_, samples_, 2, 4, augment, false, Random(7),
                                             first_step, threads);
  }

  TemporaryFolder folder_;
  std::vector<Sample> samples_;
  ClipReader reader_{small(), {folder_ / "cache", 1}};

 private:
  static InputOptions small() {
    InputOptions input;
    input.size_px = 16;
    input.sampling.frames = 4;
    return input;
  }
};

TEST_F(FamilyBatches, AreTheSameForAnyNumberOfThreadsAndAfterARestart) {
  for (const std::string family : {"mixup", "task_aware"}) {
    auto whole = batches(family, 0, 0);
    auto threads = batches(family, 0, 3);
    std::vector<Batch> seen;
    for (int step = 0; step < 6; ++step) {
      seen.push_back(whole->next());
      EXPECT_TRUE(same(seen.back(), threads->next())) << family << " " << step;
    }
    auto resumed = batches(family, 3, 2);
    for (int step = 3; step < 6; ++step)
      EXPECT_TRUE(same(seen[step], resumed->next())) << family << " " << step;
  }
}

TEST_F(FamilyBatches, ComeAfterTheSameCropsFlipsAndOrder) {
  auto plain = batches("", 0, 1);
  auto none = batches("none", 0, 1);
  auto mixed = batches("mixup", 0, 1);
  for (int step = 0; step < 4; ++step) {
    const Batch batch = plain->next();
    EXPECT_TRUE(same(batch, none->next()));
    const Batch after = mixed->next();
    EXPECT_TRUE(after.rows.equal(batch.rows));
    const auto family = make<Augmentation>("mixup");
    EXPECT_TRUE(same(after, family->apply(batch, Random(7).stream("family", step))));
  }
}

}  // namespace
}  // namespace distal
