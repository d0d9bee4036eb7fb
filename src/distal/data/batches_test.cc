#include "distal/data/batches.h"

#include <atomic>
#include <set>

#include "distal/base/progress.h"
#include "distal/data/augment.h"
#include "distal/data/cache_error.h"
#include "distal/data/order.h"
#include "distal/data/prefetch.h"
#include "distal/data/read_ahead.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<int64_t> rows_of(const Batch& batch) {
  const auto* rows = batch.rows.const_data_ptr<int64_t>();
  return {rows, rows + batch.rows.size(0)};
}

bool equal(const Batch& a, const Batch& b) {
  const auto same = [](const torch::Tensor& x, const torch::Tensor& y) {
    return x.nan_to_num(-1).equal(y.nan_to_num(-1));
  };
  return a.clips.equal(b.clips) && a.rows.equal(b.rows) && same(a.targets, b.targets) &&
         a.weights.equal(b.weights) && same(a.teacher, b.teacher);
}

// Ten short videos of two classes (0: 0 .. 7, 1: 8, 9), shared by the tests of this file, and a
// cache of their own.
class Batches : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TemporaryFolder;
    SyntheticOptions options;
    options.frames = 16;
    for (int i = 0; i < 10; ++i) write_motion(path(i), motions()[i % motions().size()], i, options);
  }
  static void TearDownTestSuite() { delete shared_; }
  static std::string path(int i) { return *shared_ / fmt::format("{}.mp4", i); }

  Batches() {
    input_.size_px = 32;
    input_.sampling.frames = 4;
  }

  std::vector<Sample> samples(int count = 10) const {
    std::vector<Sample> all;
    for (int i = 0; i < count; ++i) {
      Sample sample{{path(i)}, {1, 0}, static_cast<float>(i) + 1};
      if (i >= 8) sample.target = {0, 1};
      all.push_back(sample);
    }
    return all;
  }

  std::unique_ptr<TrainingBatches> training(ClipReader& reader, std::vector<Sample> all,
                                            int64_t batch_size, int64_t first_step, int64_t threads,
                                            bool balanced = false, AugmentOptions augment = {}) {
    augment.flip = 0.5;
    augment.brightness = 0.2;
    return std::make_unique<TrainingBatches>(reader, std::move(all), 2, batch_size, augment,
                                             balanced, Random(7), first_step, threads);
  }

  static TemporaryFolder* shared_;
  TemporaryFolder folder_;
  InputOptions input_;
  CacheOptions cache_{folder_ / "cache", 1};
};
TemporaryFolder* Batches::shared_ = nullptr;

TEST_F(Batches, TakeTheMemoryOfThoseThatAreGone) {
  ClipReader reader(input_, {*shared_ / "cache", 1});
  std::vector<Clip> clips;
  for (int i = 0; i < 10; ++i) clips.push_back({path(i)});
  EvaluationBatches batches(reader, clips, 2, 1, /*threads=*/0);
  auto first = batches.next();
  const void* place = first->clips.data_ptr();
  const auto copy = first->clips.clone();
  auto part = first->clips[0][1];  // holds what it is a part of
  first.reset();
  EXPECT_NE(batches.next()->clips.data_ptr(), place);
  EXPECT_TRUE(part.equal(copy[0][1]));
  part.reset();
  EXPECT_EQ(batches.next()->clips.data_ptr(), place);
}

TEST_F(Batches, HaveTheirShapesAndRange) {
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(), 3, 0, 1);
  const auto batch = batches->next();
  EXPECT_EQ(batch.clips.sizes(), (torch::IntArrayRef{3, 3, 4, 32, 32}));
  EXPECT_EQ(batch.targets.sizes(), (torch::IntArrayRef{3, 2}));
  EXPECT_GE(batch.clips.min().item<float>(), -1);
  EXPECT_LE(batch.clips.max().item<float>(), 1);
  EXPECT_GT(batch.clips.std().item<float>(), 0.01);
  EXPECT_TRUE(batch.weights.equal(batch.rows.to(torch::kFloat32) + 1));
}

TEST_F(Batches, AreTheSameForAnyNumberOfThreads) {
  ClipReader one(input_, cache_);
  ClipReader three(input_, {folder_ / "other", 1});
  auto a = training(one, samples(), 4, 0, 1);
  auto b = training(three, samples(), 4, 0, 3);
  auto c = training(one, samples(), 4, 0, 0);
  for (int step = 0; step < 8; ++step) {
    const auto first = a->next();
    EXPECT_TRUE(equal(first, b->next())) << step;
    EXPECT_TRUE(equal(first, c->next())) << step;
  }
}

TEST_F(Batches, AResumedRunSeesTheSameBatches) {
  ClipReader reader(input_, cache_);
  for (const bool balanced : {false, true}) {
    auto whole = training(reader, samples(), 4, 0, 2, balanced);
    for (int step = 0; step < 5; ++step) whole->next();
    auto resumed = training(reader, samples(), 4, 5, 2, balanced);
    for (int step = 5; step < 9; ++step) EXPECT_TRUE(equal(whole->next(), resumed->next())) << step;
  }
}

TEST_F(Batches, EveryEpochVisitsEachSampleOnceInAFreshOrder) {
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(), 4, 0, 2);
  std::vector<int64_t> rows;
  for (int step = 0; step < 10; ++step) {
    for (const int64_t row : rows_of(batches->next())) rows.push_back(row);
  }
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 4; ++epoch) {
    std::vector<int64_t> order(rows.begin() + epoch * 10, rows.begin() + epoch * 10 + 10);
    orders.insert(order);
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 10u);
  }
  EXPECT_EQ(orders.size(), 4u);
}

TEST_F(Batches, AClipIsCutAnewEachTimeItIsSeen) {
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(1), 1, 0, 1);
  const auto first = batches->next();
  const auto second = batches->next();
  EXPECT_FALSE(first.clips.equal(second.clips));
}

TEST_F(Batches, ClipsReadAheadForTrainingAreDecodedOnceForItAndForEvaluation) {
  const std::vector<Sample> all = samples();
  std::vector<Clip> clips;
  std::vector<ClipReader::Ahead> ahead;
  for (const Sample& sample : all) {
    clips.push_back(sample.clip);
    ahead.push_back({&sample.clip, true});
  }
  const Clip gone{*shared_ / "gone.mp4"};
  const Clip mixed = mixed_clip(all[0].clip, all[1].clip, 0.5);
  ahead.push_back({&gone, true});
  ahead.push_back({&mixed, true});
  const TemporaryFolder folder;
  ClipReader reader(input_, {folder.path(), 1});
  ClipReader other(input_, cache_);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  read_ahead(reader, ahead, quiet, "reading");
  EXPECT_THAT(reader.quarantined(), SizeIs(1));
  const auto before = reader.counts();
  EXPECT_EQ(before.misses, 10);
  auto batches = training(reader, all, 5, 0, 1);
  auto others = training(other, all, 5, 0, 1);
  for (int step = 0; step < 6; ++step) EXPECT_TRUE(equal(batches->next(), others->next()));
  EvaluationBatches evaluation(reader, clips, 2, 10, 0);
  EXPECT_EQ(evaluation.next()->rows.size(0), 10);
  EXPECT_EQ(reader.counts().misses, before.misses);
  EXPECT_EQ(reader.counts().decoded_frames, before.decoded_frames);
}

TEST_F(Batches, ClassBalancedDrawsEveryClassEquallyOften) {
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(), 4, 0, 1, true);
  std::vector<int64_t> seen(10);
  for (int step = 0; step < 8; ++step) {
    const auto batch = batches->next();
    EXPECT_EQ(batch.targets.sum(0)[1].item<float>(), 2);
    for (const int64_t row : rows_of(batch)) ++seen[row];
  }
  EXPECT_THAT(seen, ElementsAre(2, 2, 2, 2, 2, 2, 2, 2, 8, 8));
}

TEST_F(Batches, ABrokenVideoIsPutAsideOnceAndReplaced) {
  folder_.write("broken.mp4", "this is no video");
  auto all = samples(4);
  all[2].clip.video = folder_ / "broken.mp4";
  ClipReader reader(input_, cache_);
  auto one = training(reader, all, 4, 0, 1);
  auto three = training(reader, all, 4, 0, 3);
  for (int step = 0; step < 6; ++step) {
    const auto batch = one->next();
    EXPECT_THAT(rows_of(batch), Each(::testing::Ne(2)));
    EXPECT_TRUE(equal(batch, three->next()));
  }
  ASSERT_EQ(reader.quarantined().size(), 1u);
  EXPECT_EQ(reader.quarantined()[0].path, folder_ / "broken.mp4");
  EXPECT_THAT(reader.quarantined()[0].reason, HasSubstr("broken.mp4"));
}

TEST_F(Batches, AQuarantinedVideoIsNotTriedAgainByAnyOfItsClipsOrBatches) {
  const std::string broken = folder_.write("broken.mp4", "this is no video");
  ClipReader reader(input_, cache_);
  Clip first{broken};
  Clip second{broken};
  first.end_s = 1;
  second.start_s = 1;
  const std::string reason = error_of([&] { reader.view(first, nullptr, false); });
  EXPECT_THAT(reason, HasSubstr("not a video"));
  std::filesystem::copy_file(
      path(0), broken,
      std::filesystem::copy_options::overwrite_existing);  // mended, too late for this run
  EXPECT_EQ(error_of([&] { reader.view(second, nullptr, true); }), reason);
  auto all = samples(2);
  all[1].clip = second;
  EXPECT_THAT(rows_of(training(reader, all, 4, 0, 2)->next()), Each(0));
  EvaluationBatches evaluation(reader, {second, all[0].clip}, 2, 2, 1);
  EXPECT_THAT(rows_of(*evaluation.next()), ElementsAre(1));
  ASSERT_EQ(reader.quarantined().size(), 1u);
  EXPECT_EQ(reader.quarantined()[0].reason, reason);
}

TEST_F(Batches, AClipThatTakesTooLongPutsItsVideoAside) {
  input_.deadline_s = 1e-9;
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(2), 2, 0, 1);
  EXPECT_THAT(error_of([&] { batches->next(); }), HasSubstr("deadline"));
  EXPECT_EQ(reader.quarantined().size(), 2u);
}

TEST_F(Batches, EndWithoutFinishingTheBatchesTheyHaveBegun) {
  input_.size_px = 8;
  input_.sampling.frames = 1;
  ClipReader reader(input_, cache_);
  constexpr int64_t kBatch = 50000;
  training(reader, samples(1), kBatch, 0, 1).reset();
  { EvaluationBatches evaluation(reader, std::vector<Clip>(kBatch, Clip{path(0)}), 2, kBatch, 1); }
  EXPECT_LT(reader.counts().hits + reader.counts().misses, kBatch);
}

TEST_F(Batches, AreRefusedWhenNoClipCanBeRead) {
  folder_.write("broken.mp4", "this is no video");
  auto all = samples(2);
  for (auto& sample : all) sample.clip.video = folder_ / "broken.mp4";
  ClipReader reader(input_, cache_);
  for (const bool balanced : {false, true}) {
    auto batches = training(reader, all, 4, 0, 2, balanced);
    EXPECT_THAT(error_of([&] { batches->next(); }),
                StartsWith("none of the 2 training clips can be read (the first: "));
  }
  EXPECT_THAT(error_of([&] { training(reader, {}, 4, 0, 2); }),
              HasSubstr("there is no clip to train on"));
}

TEST_F(Batches, AFaultOfTheCacheStopsTheRun) {
  ClipReader reader(input_, cache_);
  const auto video = reader.probe(path(0));
  // A folder stands where the cache file should be.
  std::filesystem::create_directories(fmt::format("{}/cache/{}_{}.frames", folder_.path(), video.id,
                                                  input_.cached_short_side_px()));
  auto batches = training(reader, samples(1), 1, 0, 1);
  EXPECT_THROW(batches->next(), CacheError);
  EXPECT_TRUE(reader.quarantined().empty());
}

TEST_F(Batches, AFlipMapsTheTarget) {
  ClipReader reader(input_, cache_);
  AugmentOptions augment;
  augment.flip_labels = {"a:b"};
  augment.resolve({{"a", "b"}});
  auto batches =
      training(reader, samples(1), 16, 0, 1, false, augment);  // target 1, 0; half of them flipped
  const auto targets = batches->next().targets;
  AugmentOptions drawn;
  drawn.flip = 0.5;
  drawn.brightness = 0.2;
  int64_t flips = 0;
  for (int64_t row = 0; row < 16; ++row) {
    Random random = Random(7).stream("augment", row);
    const bool flipped = draw_augment(37, 37, drawn, random).flipped;
    flips += flipped;
    EXPECT_EQ(targets[row][1].item<float>(), flipped ? 1 : 0);
    EXPECT_EQ(targets[row][0].item<float>(), flipped ? 0 : 1);
  }
  EXPECT_GT(flips, 2);
  EXPECT_LT(flips, 14);
}

TEST_F(Batches, ATeachersWordStandsBesideTheTruthAndIsFlippedWithIt) {
  ClipReader reader(input_, cache_);
  AugmentOptions augment;
  augment.flip_labels = {"a:b"};
  augment.resolve({{"a", "b"}});
  auto all = samples(3);
  all[0].teacher = {0.75f, 0.25f};
  all[1].teacher = {0.25f, 0.75f};
  all[1].target.clear();
  const auto batch = training(reader, all, 30, 0, 1, false, augment)->next();
  int64_t flips = 0;
  for (int64_t row = 0; row < 30; ++row) {
    const int64_t sample = rows_of(batch)[row];
    Random random = Random(7).stream("augment", row);
    AugmentOptions drawn;
    drawn.flip = 0.5;
    drawn.brightness = 0.2;
    const bool flipped = draw_augment(37, 37, drawn, random).flipped;
    flips += flipped;
    EXPECT_EQ(batch.teacher[row].isnan().all().item<bool>(), sample == 2);
    EXPECT_EQ(batch.targets[row].isnan().all().item<bool>(), sample == 1);
    if (sample < 2) {
      EXPECT_EQ(batch.teacher[row][0].item<float>(), (sample == 0) != flipped ? 0.75f : 0.25f);
    }
    if (sample != 1) {
      EXPECT_EQ(batch.targets[row][0].item<float>(), flipped ? 0 : 1);
    }
  }
  EXPECT_GT(flips, 5);
  EXPECT_LT(flips, 25);
}

TEST_F(Batches, EvaluationKnowsNoTeacher) {
  ClipReader reader(input_, cache_);
  EvaluationBatches batches(reader, {{path(0)}, {folder_ / "none.mp4"}, {path(1)}}, 2, 3, 1);
  const auto batch = batches.next();
  EXPECT_EQ(batch->teacher.sizes(), (torch::IntArrayRef{2, 2}));
  EXPECT_TRUE(batch->teacher.isnan().all().item<bool>());
}

TEST(Sample, IsMostLikelyTheClassOfTheTruthElseOfTheTeacher) {
  EXPECT_EQ((Sample{{}, {0, 1}, 1, {1, 0}}.likely()), 1);
  EXPECT_EQ((Sample{{}, {}, 1, {0.75f, 0.25f}}.likely()), 0);
  EXPECT_EQ((Sample{{}, {}, 1, {}}.likely()), -1);
}

TEST_F(Batches, AnUnknownTargetIsNaN) {
  ClipReader reader(input_, cache_);
  auto all = samples(2);
  all[0].target.clear();
  const auto batch = training(reader, all, 2, 0, 1)->next();
  const auto unknown = batch.targets.isnan().all(1);
  EXPECT_TRUE(unknown.equal(batch.rows == 0));
}

TEST_F(Batches, NeverWaitForADecodeOnceCached) {
  input_.sampling.jitter_steps = 2;
  ClipReader reader(input_, cache_);
  auto batches = training(reader, samples(), 5, 0, 0);
  for (int step = 0; step < 2; ++step) batches->next();
  const auto cold = reader.counts();
  EXPECT_EQ(cold.misses, 10);
  EXPECT_EQ(cold.decoded_frames, 10 * 4 * 2);
  for (int step = 0; step < 20; ++step) batches->next();
  EXPECT_EQ(reader.counts().misses, cold.misses);
  EXPECT_EQ(reader.counts().decoded_frames, cold.decoded_frames);
  EXPECT_EQ(reader.counts().hits, 100);
}

TEST_F(Batches, EvaluationGoesThroughTheClipsInOrder) {
  std::vector<Clip> clips;
  for (int i = 0; i < 10; ++i) clips.push_back({path(i)});
  clips[3].label = 1;
  clips[4].video = folder_.write("broken.mp4", "this is no video");
  ClipReader reader(input_, cache_);
  EvaluationBatches three(reader, clips, 2, 4, 3);
  EvaluationBatches none(reader, clips, 2, 4, 0);
  std::vector<int64_t> rows;
  while (const auto batch = three.next()) {
    EXPECT_TRUE(batch->clips.equal(none.next()->clips));
    for (int64_t i = 0; i < batch->rows.size(0); ++i) {
      const int64_t row = batch->rows[i].item<int64_t>();
      rows.push_back(row);
      EXPECT_EQ(batch->targets[i][1].item<float>() == 1, row == 3);
      EXPECT_EQ(batch->targets[i].isnan().all().item<bool>(), row != 3);
      EXPECT_TRUE(batch->clips[i].equal(centre(reader.read(clips[row], nullptr, false), 32)));
    }
  }
  EXPECT_THAT(rows, ElementsAre(0, 1, 2, 3, 5, 6, 7, 8, 9));
  EXPECT_FALSE(three.next().has_value());
  ASSERT_EQ(reader.quarantined().size(), 1u);
  EXPECT_EQ(reader.quarantined()[0].path, clips[4].video);
}

TEST_F(Batches, EvaluationOfNothingReadableEnds) {
  ClipReader reader(input_, cache_);
  const std::string broken = folder_.write("broken.mp4", "this is no video");
  EvaluationBatches batches(reader, {{broken}, {broken}, {broken}}, 2, 1, 2);
  EXPECT_FALSE(batches.next().has_value());
  EXPECT_EQ(reader.quarantined().size(), 1u);
  EvaluationBatches empty(reader, std::vector<Clip>(), 2, 4, 1);
  EXPECT_FALSE(empty.next().has_value());
}

TEST(Order, EverySampleComesUpAmongTheAttempts) {
  const std::vector<int64_t> classes = {0, 1, 1, 2, 2, 2, -1};
  const SampleOrder balanced(classes, Random(1));
  const SampleOrder plain(7, Random(1));
  for (const auto* order : {&balanced, &plain}) {
    for (int64_t position = 0; position < 20; ++position) {
      std::set<int64_t> seen;
      for (int64_t attempt = 0; attempt < order->attempts(); ++attempt)
        seen.insert(order->at(position, attempt));
      EXPECT_EQ(seen.size(), 7u);
    }
  }
}

TEST(Order, APositionIsTheSameSampleWhateverWasAskedBefore) {
  const SampleOrder forward(50, Random(1));
  const SampleOrder backward(50, Random(1));
  std::vector<int64_t> there, back;
  for (int64_t p = 0; p < 500; ++p) there.push_back(forward.at(p, 0));
  for (int64_t p = 499; p >= 0; --p) back.insert(back.begin(), backward.at(p, 0));
  EXPECT_EQ(there, back);
}

TEST(Prefetch, HandsOutStepsInOrderAndErrorsAtTheirStep) {
  const auto make = [](int64_t step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(step % 3));
    if (step == 6) fail("step six");
    Batch batch;
    batch.rows = torch::full({1}, step, torch::kInt64);
    return batch;
  };
  Prefetch prefetch(make, 2, 9, 3);
  for (int64_t step = 2; step < 9; ++step) {
    EXPECT_FALSE(prefetch.done());
    if (step == 6) {
      EXPECT_EQ(error_of([&] { prefetch.next(); }), "step six");
    } else {
      EXPECT_EQ(prefetch.next().rows.item<int64_t>(), step);
    }
  }
  EXPECT_TRUE(prefetch.done());
}

TEST(Prefetch, StopsWhileThreadsAreAhead) {
  for (int i = 0; i < 20; ++i) {
    std::atomic<int64_t> made = 0;
    {
      Prefetch prefetch(
          [&](int64_t) {
            ++made;
            return Batch{};
          },
          0, 1000000, 3);
      prefetch.next();
    }
    EXPECT_GE(made, 1);
    EXPECT_LE(made, 5) << "the step handed out, and one more than there are threads";
  }
}

}  // namespace
}  // namespace distal
