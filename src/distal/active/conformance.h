#pragma once
// The conformance suite of strategies. A GoogleTest program can run it on other strategies. In one
// source file:
//
//   #include <distal/active/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryStrategy, ::testing::Values("mine"));
//   }
//
// The parameter is the name of the strategy in the catalogue. The test uses its default options.
// Load plugins before InitGoogleTest.

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {

class EveryStrategy : public ::testing::TestWithParam<std::string> {
 protected:
  /// Uses one thread: with thousands of tiny tensors on a busy machine, a second thread costs a
  /// hundred times what it gains.
  static void SetUpTestSuite() { at::set_num_threads(1); }

  static torch::Tensor normal(std::vector<int64_t> sizes, uint64_t seed) {
    Random random(seed);
    torch::Tensor values = torch::empty(sizes);
    for (int64_t i = 0; i < values.numel(); ++i)
      values.data_ptr<float>()[i] = static_cast<float>(random.normal());
    return values;
  }

  static PoolScores pool_of(int64_t clips, uint64_t seed = 1) {
    PoolScores scores;
    scores.logits = 2 * normal({clips, 5}, seed);
    scores.embeddings = normal({clips, 8}, seed + 1);
    scores.passes = scores.logits + normal({3, clips, 5}, seed + 3);
    scores.teacher = (2 * normal({clips, 5}, seed + 4)).softmax(1);
    scores.head_weight = normal({5, 8}, seed + 5);
    scores.labelled_embeddings = normal({6, 8}, seed + 2);
    scores.labelled_logits = normal({6, 5}, seed + 6);
    scores.labelled_targets = torch::eye(5).index_select(0, torch::tensor({0, 1, 2, 3, 4, 0}));
    scores.teacher_error = 0.1;
    scores.duration_s = torch::ones({clips}, torch::kFloat64);
    scores.start_s = torch::arange(clips, torch::kFloat64).div(7, "floor");
    for (int64_t i = 0; i < clips; ++i) scores.video.push_back(fmt::format("v{}", i % 7));
    return scores;
  }

  /// A pool of equal clips.
  static PoolScores equal_clips(int64_t clips) {
    auto scores = pool_of(clips);
    scores.logits = torch::zeros({clips, 5});
    scores.embeddings = torch::ones({clips, 8});
    scores.passes = torch::zeros({3, clips, 5});
    scores.teacher = torch::full({clips, 5}, 0.2);
    scores.labelled_embeddings = torch::ones({6, 8});
    return scores;
  }

  static std::vector<int64_t> rows_of(const torch::Tensor& rows) {
    EXPECT_EQ(rows.scalar_type(), torch::kInt64);
    return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
  }

  static void expect_distinct(const std::vector<int64_t>& rows, int64_t pool, int64_t count) {
    EXPECT_EQ(std::ssize(rows), count);
    EXPECT_EQ(std::ssize(std::set<int64_t>(rows.begin(), rows.end())), count) << "a row came twice";
    for (const int64_t row : rows) EXPECT_TRUE(row >= 0 && row < pool) << row;
  }

  std::shared_ptr<const Strategy> strategy_ = make<Strategy>(GetParam());
};

TEST_P(EveryStrategy, ReturnsDistinctRowsAndMeetsTheBudget) {
  const auto scores = pool_of(60);
  for (const int64_t count : {1, 7, 60})
    expect_distinct(rows_of(strategy_->select(scores, count, Random(3))), 60, count);
}

TEST_P(EveryStrategy, ReturnsNothingForABudgetOfNothing) {
  EXPECT_EQ(strategy_->select(pool_of(10), 0, Random(3)).numel(), 0);
}

TEST_P(EveryStrategy, ReturnsTheWholePoolWhenItIsSmallerThanTheBudget) {
  expect_distinct(rows_of(strategy_->select(pool_of(5), 50, Random(3))), 5, 5);
  expect_distinct(rows_of(strategy_->select(pool_of(1), 2, Random(3))), 1, 1);
}

TEST_P(EveryStrategy, ReturnsNothingFromAnEmptyPool) {
  EXPECT_EQ(strategy_->select(subset(pool_of(3), {}), 4, Random(3)).numel(), 0);
}

TEST_P(EveryStrategy, ReturnsTheSameRowsForTheSameSeed) {
  const auto scores = pool_of(60);
  EXPECT_EQ(rows_of(strategy_->select(scores, 20, Random(9))),
            rows_of(strategy_->select(scores, 20, Random(9))));
}

TEST_P(EveryStrategy, BreaksTiesBySeedNotByPosition) {
  const auto scores = equal_clips(40);
  std::set<std::vector<int64_t>> seen;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const auto rows = rows_of(strategy_->select(scores, 10, Random(seed)));
    expect_distinct(rows, 40, 10);
    seen.insert(rows);
  }
  EXPECT_EQ(seen.size(), 4u) << "equal clips must come in random order";
}

TEST_P(EveryStrategy, WorksBeforeAnythingIsLabelled) {
  auto scores = pool_of(30);
  for (const auto& none : {torch::Tensor(), torch::empty({0, 8}), torch::empty({0})}) {
    scores.labelled_embeddings = scores.labelled_logits = scores.labelled_targets = none;
    scores.teacher_error = -1;
    expect_distinct(rows_of(strategy_->select(scores, 12, Random(4))), 30, 12);
  }
}

TEST_P(EveryStrategy, RefusesNaNInWhatItUses) {
  const Needs needs = strategy_->needs();
  struct Field {
    const char* name;
    bool used;
    std::function<torch::Tensor(PoolScores&)> row;
  };
  const std::vector<Field> fields = {
      {"logits", needs.logits, [](PoolScores& s) { return s.logits[13]; }},
      {"embeddings", needs.embeddings, [](PoolScores& s) { return s.embeddings[13]; }},
      {"passes", !needs.passes.empty(), [](PoolScores& s) { return s.passes[1][13]; }},
      {"teacher", needs.teacher, [](PoolScores& s) { return s.teacher[13]; }},
  };
  for (const auto& field : fields) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      auto scores = pool_of(20);
      field.row(scores)[2] = bad;
      try {
        EXPECT_EQ(strategy_->select(scores, 5, Random(1)).numel(), 5);
        EXPECT_FALSE(field.used) << field.name << " of " << bad << " was accepted";
      } catch (const Error& error) {
        EXPECT_TRUE(field.used) << field.name << " is not needed, but refused: " << error.what();
        EXPECT_THAT(error.what(), ::testing::HasSubstr("row 13"));
        EXPECT_THAT(error.what(), ::testing::HasSubstr(GetParam()));
      }
    }
  }
}

TEST_P(EveryStrategy, NeedsOnlyWhatItSaysItNeeds) {
  const Needs needs = strategy_->needs();
  auto scores = pool_of(20);
  if (!needs.logits) scores.logits = torch::Tensor();
  if (!needs.embeddings) scores.embeddings = scores.labelled_embeddings = torch::Tensor();
  if (needs.passes.empty()) scores.passes = torch::Tensor();
  if (!needs.teacher) scores.teacher = torch::Tensor();
  if (!needs.head) scores.head_weight = torch::Tensor();
  if (!needs.labelled_logits) scores.labelled_logits = scores.labelled_targets = torch::Tensor();
  if (!needs.teacher_error) scores.teacher_error = std::nan("");
  expect_distinct(rows_of(strategy_->select(scores, 5, Random(1))), 20, 5);
}

TEST_P(EveryStrategy, SaysHowManyPassesItNeeds) {
  const Needs needs = strategy_->needs();
  EXPECT_THAT(needs.passes, ::testing::AnyOf("", "dropout", "augmented", "members"));
  EXPECT_EQ(needs.pass_count >= 2, !needs.passes.empty());
}

TEST_P(EveryStrategy, ScoresClipsOrChoosesSets) {
  const auto scores = pool_of(20);
  const auto values = strategy_->score(scores, Random(1));
  EXPECT_EQ(values.has_value(), scores_clips(*strategy_));
  if (!values) return;
  EXPECT_EQ(values->scalar_type(), torch::kFloat64);
  EXPECT_EQ(values->numel(), 20);
}

TEST_P(EveryStrategy, ObeysEveryLimitAtOnce) {
  const auto scores = pool_of(60);
  for (const bool balance : {false, true}) {
    SelectionOptions options;
    options.per_video = 2;
    options.gap_s = 3;
    options.class_balance = balance;
    const auto rows = rows_of(select(*strategy_, scores, 11, options, Random(2)));
    expect_distinct(rows, 60, 11);
    std::map<std::string, std::vector<double>> of_video;
    for (const int64_t row : rows) {
      auto& starts = of_video[scores.video[row]];
      for (const double start : starts)
        EXPECT_GE(std::abs(start - scores.start_s[row].item<double>()), 3);
      starts.push_back(scores.start_s[row].item<double>());
      EXPECT_LE(starts.size(), 2u);
    }
  }
}

TEST_P(EveryStrategy, AsksForWholeVideosWithinSeconds) {
  const auto scores = pool_of(60);  // four videos of 9 clips, three of 8, a second each
  SelectionOptions options;
  options.ask = "video";
  options.unit = "seconds";
  const auto rows = rows_of(select(*strategy_, scores, 30, options, Random(2)));
  std::map<std::string, int> of_video;
  for (const int64_t row : rows) ++of_video[scores.video[row]];
  EXPECT_EQ(of_video.size(), 3u);
  for (const auto& [video, clips] : of_video)
    EXPECT_EQ(clips, std::count(scores.video.begin(), scores.video.end(), video));
}

}  // namespace distal
