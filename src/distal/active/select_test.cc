#include <set>

#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// Scores by the first logit.
class ByFirstLogit : public Strategy {
 public:
  std::optional<torch::Tensor> score(const PoolScores& scores, Random) const override {
    return scores.logits.select(1, 0).to(torch::kFloat64);
  }
};

/// A set strategy that returns rows in order and remembers what it was shown.
class Recorder : public Strategy {
 public:
  torch::Tensor select(const PoolScores& scores, int64_t count, Random) const override {
    asked.push_back(
        {scores.size(), count,
         scores.labelled_embeddings.defined() ? scores.labelled_embeddings.size(0) : 0});
    seen.push_back(scores);
    return torch::arange(std::min(count, scores.size()));
  }
  mutable std::vector<std::vector<int64_t>> asked;  // pool, count, labelled
  mutable std::vector<PoolScores> seen;
};

PoolScores pool(std::vector<double> first_logit, std::vector<Interned> videos = {},
                std::vector<double> seconds = {}) {
  PoolScores scores;
  const auto first = torch::tensor(first_logit);
  scores.logits = torch::stack({first, torch::zeros_like(first)}, 1);
  scores.embeddings = first.unsqueeze(1).clone();
  scores.video = std::move(videos);
  if (!seconds.empty()) scores.duration_s = torch::tensor(seconds, torch::kFloat64);
  return scores;
}

std::vector<int64_t> chosen(const Strategy& strategy, const PoolScores& scores, double budget,
                            const SelectionOptions& options, uint64_t seed = 1) {
  const auto rows = select(strategy, scores, budget, options, Random(seed));
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

SelectionOptions limits(const std::string& ask, const std::string& unit, int64_t per_video = 0,
                        bool balance = false) {
  SelectionOptions options;
  options.ask = ask;
  options.unit = unit;
  options.per_video = per_video;
  options.class_balance = balance;
  return options;
}

std::string refusal(const PoolScores& scores, double budget, const SelectionOptions& options) {
  return error_of([&] { select(ByFirstLogit(), scores, budget, options, Random(1)); });
}

TEST(Select, TakesTheBestRowsOfThePool) {
  EXPECT_THAT(chosen(ByFirstLogit(), pool({1, 5, 3, 4, 2}), 3, {}), ElementsAre(1, 3, 2));
  EXPECT_THAT(chosen(ByFirstLogit(), pool({1, 5, 3}), 2.9, {}), ElementsAre(1, 2));
  EXPECT_THAT(chosen(ByFirstLogit(), pool({1, 5}), 9, {}), ElementsAre(1, 0));
  EXPECT_THAT(chosen(ByFirstLogit(), pool({1, 5}), 0, {}), ElementsAre());
}

TEST(Select, SkipsClipsOfAVideoThatHasGivenItsShare) {
  const auto scores = pool({9, 8, 7, 6, 5, 4}, {"a", "a", "a", "b", "a", "b"});
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 4, limits("clip", "answers", 2)),
              ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 4, limits("clip", "answers", 1)), ElementsAre(0, 3))
      << "no third video to ask";
}

TEST(Select, NeverExceedsSecondsAndFillsThemByRank) {
  const auto scores = pool({5, 4, 3, 2, 1}, {}, {6, 5, 3, 2, 1});
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 10, limits("clip", "seconds")),
              ElementsAre(0, 2, 4));  // 5 s does not fit in 4, 2 not in 1
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 17, limits("clip", "seconds")),
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 0.5, limits("clip", "seconds")), ElementsAre());
}

TEST(Select, MeetsSecondsThatAddUpOnlyNearly) {
  EXPECT_EQ(
      chosen(ByFirstLogit(), pool(std::vector<double>(400, 0.0), {}, std::vector<double>(400, 0.1)),
             30, limits("clip", "seconds"))
          .size(),
      300u);
}

TEST(Select, RanksVideosByTheMeanOfTheirClips) {
  const auto scores = pool({9, 0, 5, 5, 6, 1}, {"a", "a", "b", "b", "c", "a"});
  // means: a 10/3, b 5, c 6
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 3, limits("video", "answers")), ElementsAre(4, 2, 3));
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 4, limits("video", "answers")), ElementsAre(4, 2, 3))
      << "three clips of a do not fit in one answer";
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, limits("video", "answers")),
              ElementsAre(4, 2, 3, 0, 1, 5));
}

TEST(Select, RanksVideosByTheLargestOrTheMeanOfTheLargest) {
  const auto scores = pool({9, 0, 4, 5, 6, 1}, {"a", "a", "b", "b", "c", "a"});
  auto options = limits("video", "answers");
  options.aggregate = "max";  // a 9, b 5, c 6
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(0, 1, 5, 4, 2, 3));
  options.aggregate = "top_m";
  options.top_m = 2;  // a 5, b 4.5, c 6
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(4, 0, 1, 5, 2, 3));
  options.top_m = 0;  // two of three clips of a, two of two of b
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(4, 0, 1, 5, 2, 3));
  options.top_m = 1;
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(0, 1, 5, 4, 2, 3));
}

TEST(Select, KeepsClipsOfOneVideoApart) {
  auto scores = pool({9, 8, 7, 6, 5, 4}, {"a", "a", "a", "a", "b", "a"});
  scores.start_s = torch::tensor({10.0, 11.0, 12.0, 13.5, 11.0, 8.0}, torch::kFloat64);
  auto options = limits("clip", "answers");
  options.gap_s = 2;
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(0, 2, 4, 5));
  options.gap_s = 2.5;
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(0, 3, 4));
  options.per_video = 1;
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 6, options), ElementsAre(0, 4));
  const Recorder recorder;
  options.per_video = 0;
  options.gap_s = 2;
  EXPECT_THAT(chosen(recorder, scores, 6, options), ElementsAre(0, 2, 4, 5));
}

SelectionOptions knapsack() {
  auto options = limits("clip", "seconds");
  options.fill = "knapsack";
  return options;
}

TEST(Select, FillsSecondsByScorePerSecond) {
  const auto scores = pool({10, 6, 5}, {}, {10, 5, 5});
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 10, limits("clip", "seconds")), ElementsAre(0));
  EXPECT_THAT(chosen(ByFirstLogit(), scores, 10, knapsack()), ElementsAre(1, 2));
  // 3 a second, but then 10 s do not fit any more: the one clip is worth more.
  EXPECT_THAT(chosen(ByFirstLogit(), pool({3, 10}, {}, {1, 10}), 10, knapsack()), ElementsAre(1));
  // Scores below 0 count from the smallest: 0, 1 and 3.
  EXPECT_THAT(chosen(ByFirstLogit(), pool({-4, -3, -1}, {}, {1, 1, 4}), 2, knapsack()),
              ElementsAre(1, 0));
  EXPECT_THAT(chosen(ByFirstLogit(), pool({1, 2}, {}, {0, 1}), 1, knapsack()), ElementsAre(0, 1))
      << "what costs nothing comes first";
}

TEST(Select, AKnapsackIsWorthHalfOfTheBestAndFits) {
  Random random(3);
  for (int trial = 0; trial < 60; ++trial) {
    std::vector<double> worth, seconds;
    for (int i = 0; i < 9; ++i) {
      worth.push_back(random.uniform(0, 5));
      seconds.push_back(random.uniform(0.5, 6));
    }
    const double budget = random.uniform(1, 12);
    double best = 0;
    for (int set = 0; set < 512; ++set) {
      double value = 0;
      double cost = 0;
      for (int i = 0; i < 9; ++i) {
        if (set >> i & 1) {
          value += worth[i];
          cost += seconds[i];
        }
      }
      if (cost <= budget) best = std::max(best, value);
    }
    double value = 0;
    double cost = 0;
    for (const int64_t row : chosen(ByFirstLogit(), pool(worth, {}, seconds), budget, knapsack())) {
      value += worth[row];
      cost += seconds[row];
    }
    EXPECT_LE(cost, budget);
    EXPECT_GE(value, best / 2 - 1e-6);
  }
}

TEST(Select, ShowsSetStrategiesTheMeanOfEachVideo) {
  const Recorder recorder;
  auto scores = pool({0, 2, 8}, {"a", "a", "b"}, {2, 3, 4});
  scores.logits = torch::tensor({0.2, 0.8, 0.6, 0.4, 0.9, 0.1}).view({3, 2}).log();
  EXPECT_THAT(chosen(recorder, scores, 5, limits("video", "seconds")), ElementsAre(0, 1));
  const auto& seen = recorder.seen.front();
  EXPECT_TRUE(torch::allclose(seen.embeddings, torch::tensor({1.0, 8.0}).view({2, 1})));
  EXPECT_TRUE(torch::allclose(seen.logits.softmax(1).to(torch::kFloat32),
                              torch::tensor({0.4, 0.6, 0.9, 0.1}).view({2, 2})));
  ASSERT_NE(seen.clips, nullptr);
  EXPECT_EQ(seen.clips->size(), 3);
  EXPECT_TRUE(seen.row_of_clip.equal(torch::tensor({0, 0, 1})));
}

TEST(Subset, KeepsEveryFieldOfItsRows) {
  auto scores = pool({0, 2, 8}, {"a", "a", "b"}, {2, 3, 4});
  scores.passes = torch::arange(12).view({2, 3, 2});
  scores.teacher = torch::arange(6).view({3, 2});
  scores.start_s = torch::tensor({5.0, 6.0, 7.0}, torch::kFloat64);
  scores.row_of_clip = torch::tensor({0, 2, -1, 1, 2});
  const auto part = subset(scores, {2, 0});
  EXPECT_EQ(part.size(), 2);
  EXPECT_TRUE(part.passes.equal(torch::tensor({4, 5, 0, 1, 10, 11, 6, 7}).view({2, 2, 2})));
  EXPECT_TRUE(part.teacher.equal(torch::tensor({4, 5, 0, 1}).view({2, 2})));
  EXPECT_TRUE(part.start_s.equal(torch::tensor({7.0, 5.0}, torch::kFloat64)));
  EXPECT_THAT(part.video, ElementsAre("b", "a"));
  EXPECT_TRUE(part.row_of_clip.equal(torch::tensor({1, 0, -1, -1, 0})));
}

TEST(Select, ShowsSetStrategiesTheMeanOfEveryPassAndOfTheTeacher) {
  const Recorder recorder;
  auto scores = pool({0, 2, 8}, {"a", "a", "b"});
  scores.passes = torch::tensor({0.2, 0.8, 0.6, 0.4, 0.9, 0.1, 0.1, 0.9, 0.3, 0.7, 0.5, 0.5})
                      .view({2, 3, 2})
                      .log();
  scores.teacher = torch::tensor({1.0, 0.0, 0.0, 1.0, 0.3, 0.7}).view({3, 2});
  chosen(recorder, scores, 3, limits("video", "answers"));
  const auto& seen = recorder.seen.front();
  EXPECT_TRUE(
      torch::allclose(seen.passes.softmax(2).to(torch::kFloat32),
                      torch::tensor({0.4, 0.6, 0.9, 0.1, 0.2, 0.8, 0.5, 0.5}).view({2, 2, 2})));
  EXPECT_TRUE(torch::allclose(seen.teacher.to(torch::kFloat32),
                              torch::tensor({0.5, 0.5, 0.3, 0.7}).view({2, 2})));
}

TEST(Select, AsksSetStrategiesAgainWithTheirChoiceAsLabelled) {
  const Recorder recorder;
  auto scores = pool({0, 1, 2, 3, 4, 5}, {"a", "a", "a", "b", "b", "c"});
  scores.labelled_embeddings = torch::zeros({4, 1});
  EXPECT_THAT(chosen(recorder, scores, 3, limits("clip", "answers", 1)), ElementsAre(0, 3, 5));
  // First ask: 3 of 6 rows, all of a; one is taken. Then 2 of the 3 rows of b and c, both of b.
  // Then c.
  EXPECT_THAT(recorder.asked,
              ElementsAre(ElementsAre(6, 3, 4), ElementsAre(3, 2, 5), ElementsAre(1, 1, 6)));
  EXPECT_EQ(recorder.seen[2].chosen->logits.size(0), 2);
  EXPECT_EQ(recorder.seen[0].chosen, nullptr);
  EXPECT_TRUE(torch::equal(recorder.seen[2].labelled_embeddings.slice(0, 4),
                           torch::tensor({0.0, 3.0}).view({2, 1})));
}

TEST(Select, BalancesPredictedClassesAsFarAsThePoolHasThem) {
  PoolScores scores;
  std::vector<int64_t> classes = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2};
  scores.logits = torch::one_hot(torch::tensor(classes), 3).to(torch::kFloat32) +
                  torch::linspace(0.9, 0, 10).unsqueeze(1);
  const auto counts = [&](const Strategy& strategy, double budget) {
    std::vector<int64_t> of(3);
    for (const int64_t row : chosen(strategy, scores, budget, limits("clip", "answers", 0, true)))
      ++of[classes[row]];
    return of;
  };
  for (const Strategy* strategy : {static_cast<const Strategy*>(new ByFirstLogit),
                                   static_cast<const Strategy*>(new Recorder)}) {
    const std::unique_ptr<const Strategy> owner(strategy);
    EXPECT_THAT(counts(*strategy, 3), ElementsAre(1, 1, 1));
    EXPECT_THAT(counts(*strategy, 5), ElementsAre(2, 2, 1));
    EXPECT_THAT(counts(*strategy, 7), ElementsAre(3, 3, 1));
    EXPECT_THAT(counts(*strategy, 9), ElementsAre(5, 3, 1));
    EXPECT_THAT(counts(*strategy, 2), UnorderedElementsAre(1, 1, 0));
  }
}

TEST(Select, BalancesWithinVideosAndSecondsToo) {
  PoolScores scores;
  std::vector<int64_t> classes;
  std::vector<double> seconds;
  for (int64_t i = 0; i < 40; ++i) {
    classes.push_back(i < 30 ? 0 : 1);
    scores.video.push_back(fmt::format("v{}", i % 10));
    seconds.push_back(1 + i % 3);
  }
  scores.logits = torch::one_hot(torch::tensor(classes), 2).to(torch::kFloat32);
  scores.duration_s = torch::tensor(seconds, torch::kFloat64);
  double spent = 0;
  std::vector<int64_t> of(2);
  for (const int64_t row : chosen(ByFirstLogit(), scores, 20, limits("clip", "seconds", 2, true))) {
    spent += seconds[row];
    ++of[classes[row]];
  }
  EXPECT_LE(spent, 20);
  EXPECT_GE(spent, 18);
  EXPECT_LE(std::abs(of[0] - of[1]), 3);
}

TEST(Select, RandomVideosDoNotFavourShortOnes) {
  std::vector<Interned> videos(20, "long");
  for (int i = 0; i < 4; ++i) videos.push_back(fmt::format("short{}", i));
  const auto scores = pool(std::vector<double>(24, 0.0), videos);
  const auto random = make<Strategy>("random");
  int taken = 0;
  for (uint64_t seed = 0; seed < 200; ++seed)
    taken += chosen(*random, scores, 20, limits("video", "answers"), seed).front() == 0;
  EXPECT_NEAR(taken, 40, 5 * 5.7);  // one of five videos first; sqrt(200 * 0.2 * 0.8) = 5.7
}

TEST(Select, RefusalsSayWhatWouldBeRight) {
  const auto scores = pool({1, 2}, {"a"});
  EXPECT_THAT(refusal(scores, 1, limits("clip", "answers", 1)),
              HasSubstr("video of every clip, there are 1 for 2 clips"));
  EXPECT_THAT(refusal(pool({1, 2}), 1, limits("clip", "seconds")), HasSubstr("give durations"));
  EXPECT_THAT(refusal(pool({1, 2}), 1, limits("clip", "minutes")), HasSubstr("how long people"));
  EXPECT_THAT(refusal(pool({1, 2}, {}, {1, -1}), 1, limits("clip", "seconds")),
              HasSubstr("row 1 lasts -1 s"));
  EXPECT_THAT(refusal(pool({1, 2}, {}, {INFINITY, 1}), 1, limits("clip", "seconds")),
              HasSubstr("row 0 lasts inf s"));
  EXPECT_THAT(refusal(pool({1, 2}), -1, {}), HasSubstr("budget is -1"));
  EXPECT_THAT(refusal(pool({1, 2}), std::nan(""), {}), HasSubstr("budget is nan"));
  EXPECT_THAT(refusal(pool({1, 2}, {"a", "b"}), 1, limits("video", "answers", 1)),
              HasSubstr("whole videos"));
  EXPECT_THAT(refusal(pool({1, std::nan("")}), 1, {}), HasSubstr("row 1 is NaN"));
  EXPECT_THAT(refusal(pool({1, 2}), 1, limits("frame", "answers")),
              HasSubstr("neither clip nor video"));
  auto options = limits("video", "answers");
  options.gap_s = 2;
  EXPECT_THAT(refusal(pool({1, 2}, {"a", "b"}), 1, options),
              HasSubstr("gap_s = 2 cannot hold when whole videos"));
  options.ask = "clip";
  EXPECT_THAT(refusal(pool({1, 2}, {"a", "b"}), 1, options),
              HasSubstr("gap_s needs the start of every clip"));
  EXPECT_THAT(refusal(pool({1, 2}), 1, knapsack()), HasSubstr("give durations"));
}

TEST(Select, SaysWhatCannotHoldTogetherBeforeAnythingIsScored) {
  EXPECT_EQ(contradiction(knapsack(), ByFirstLogit()), "");
  EXPECT_THAT(contradiction(knapsack(), Recorder()), HasSubstr("this strategy chooses sets"));
  auto options = knapsack();
  options.unit = "answers";
  EXPECT_THAT(contradiction(options, ByFirstLogit()), HasSubstr("set unit: seconds"));
  options = limits("clip", "answers");
  options.aggregate = "median";
  EXPECT_THAT(contradiction(options, ByFirstLogit()), HasSubstr("none of mean, max, top_m"));
  EXPECT_TRUE(scores_clips(ByFirstLogit()));
  EXPECT_FALSE(scores_clips(Recorder()));
}

TEST(Select, OptionsAreReadFromARecipe) {
  SelectionOptions options;
  read_options(options,
               "{ask: video, aggregate: top_m, top_m: 5, unit: seconds, fill: knapsack, per_video: "
               "3, gap_s: 1.5, class_balance: true}",
               "r.yaml");
  EXPECT_EQ(options.ask, "video");
  EXPECT_EQ(options.unit, "seconds");
  EXPECT_EQ(options.per_video, 3);
  EXPECT_EQ(options.aggregate, "top_m");
  EXPECT_EQ(options.top_m, 5);
  EXPECT_EQ(options.fill, "knapsack");
  EXPECT_EQ(options.gap_s, 1.5);
  EXPECT_TRUE(options.class_balance);
  EXPECT_THROW(read_options(options, "ask: frames", "r.yaml"), UsageError);
}

}  // namespace
}  // namespace distal
