#include "distal/evaluation/scores.h"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>

#include "distal/base/random.h"

namespace distal {
namespace {

JudgedClips ten_clips() {
  return {4,
          {.7, .1, .1, .1, .2,  .5,  .2, .1, .1, .6, .25, .05, .4, .3, .2, .1, .05, .05, .85, .05,
           .3, .3, .3, .1, .25, .25, .4, .1, .6, .2, .1,  .1,  .1, .2, .3, .4, 0,   1,   0,   0},
          {0, 1, 1, 1, 2, 2, 0, 0, 0, 2},
          {0, 1, 1, 0, 2, 0, 2, 0, 3, 1}};
}

// scikit-learn 1.8 with zero_division=0: accuracy_score, balanced_accuracy_score, precision_score,
// recall_score, f1_score, jaccard_score (average="macro"), f1_score(average="weighted"),
// cohen_kappa_score, matthews_corrcoef, log_loss(labels=range(4)),
// brier_score_loss(labels=range(4), scale_by_half=False).
TEST(Scores, AreThoseOfScikitLearn) {
  const Scores scores = scores_of(ten_clips());
  EXPECT_NEAR(scores.accuracy, 0.5, 1e-12);
  EXPECT_NEAR(scores.balanced_accuracy, 0.5, 1e-12);
  EXPECT_NEAR(scores.precision, 0.41666666666666663, 1e-12);
  EXPECT_NEAR(scores.recall, 0.375, 1e-12);
  EXPECT_NEAR(scores.f1, 0.3916666666666666, 1e-12);
  EXPECT_NEAR(scores.jaccard, 0.2708333333333333, 1e-12);
  EXPECT_NEAR(scores.weighted_f1, 0.52, 1e-12);
  EXPECT_NEAR(scores.kappa, 0.2753623188405797, 1e-12);
  EXPECT_NEAR(scores.mcc, 0.2795326960098373, 1e-12);
  EXPECT_NEAR(scores.log_loss, 4.437447075341139, 1e-12);
  EXPECT_NEAR(scores.brier, 0.622, 1e-12);
  EXPECT_NEAR(scores.ece, 0.425, 1e-12);  // by hand, with numpy
}

// average_precision_score and roc_auc_score of scikit-learn 1.8, one class against the others
TEST(Scores, OfAClassAreThoseOfScikitLearn) {
  const std::vector<ClassScores> classes = class_scores(ten_clips());
  ASSERT_EQ(classes.size(), 4U);
  EXPECT_NEAR(classes[0].average_precision, 0.775, 1e-12);
  EXPECT_NEAR(classes[1].average_precision, 0.5888888888888889, 1e-12);
  EXPECT_NEAR(classes[2].average_precision, 0.6, 1e-12);
  EXPECT_NEAR(classes[0].roc_auc, 0.7708333333333333, 1e-12);
  EXPECT_NEAR(classes[1].roc_auc, 0.8333333333333334, 1e-12);
  EXPECT_NEAR(classes[2].roc_auc, 0.5952380952380952, 1e-12);
  EXPECT_TRUE(std::isnan(classes[3].average_precision) && std::isnan(classes[3].roc_auc));
  EXPECT_TRUE(std::isnan(classes[3].recall)) << "no clip shows it";
  EXPECT_EQ(classes[3].precision, 0);
  EXPECT_EQ(classes[0].clips, 4);
  EXPECT_EQ(classes[0].named, 4);
  EXPECT_EQ(classes[0].hits, 2);
}

TEST(Scores, OfOneClassAloneAreDefined) {
  const JudgedClips one{2, {.9, .1, .8, .2}, {0, 0}, {0, 0}};
  const Scores scores = scores_of(one);
  EXPECT_EQ(scores.accuracy, 1);
  EXPECT_EQ(scores.f1, 1) << "the class that nobody shows or names does not count";
  EXPECT_EQ(scores.kappa, 0);
  EXPECT_EQ(scores.mcc, 0);
  EXPECT_TRUE(std::isnan(class_scores(one)[0].roc_auc));
  EXPECT_NEAR(class_scores(one)[0].average_precision, 1, 1e-12);
}

TEST(Scores, CountInTables) {
  const auto confusion = confusion_of(ten_clips());
  EXPECT_EQ(confusion[1], (std::vector<int64_t>{1, 2, 0, 0}));
  EXPECT_EQ(confusion[3], (std::vector<int64_t>{0, 0, 0, 0}));
  int64_t clips = 0;
  for (const ConfidenceBin& bin : confidence_bins(ten_clips())) clips += bin.clips;
  EXPECT_EQ(clips, 10);
  EXPECT_EQ(confidence_bins(ten_clips())[14].confidence, 1);
}

// M clips in groups of `size`, right together in a group with probability one half.
JudgedClips grouped_clips(int64_t groups, int64_t size, std::vector<std::string>& names) {
  Random random(7);
  JudgedClips judged{2, {}, {}, {}};
  for (int64_t g = 0; g < groups; ++g) {
    const bool right = random.uniform() < 0.5;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t truth = i % 2;
      const int64_t said = right ? truth : 1 - truth;
      judged.truth.push_back(truth);
      judged.predicted.push_back(said);
      judged.probabilities.push_back(said == 0 ? .8 : .2);
      judged.probabilities.push_back(said == 1 ? .8 : .2);
      names.push_back(fmt::format("g{}", g));
    }
  }
  return judged;
}

// The mean of n groups that are all right or all wrong scatters like n coins.
TEST(Resampled, SpreadsLikeTheGroupsAndNotLikeTheClips) {
  std::vector<std::string> names;
  const JudgedClips judged = grouped_clips(60, 10, names);
  const double p = scores_of(judged).accuracy;
  const double half = 1.959964 * std::sqrt(p * (1 - p) / 60);
  const Resampled groups = resampled(judged, names, Random(1));
  EXPECT_EQ(groups.clusters, 60);
  EXPECT_NEAR(groups.intervals[0].low, p - half, 0.02);
  EXPECT_NEAR(groups.intervals[0].high, p + half, 0.02);
  std::vector<std::string> clips(names.size());
  for (size_t i = 0; i < clips.size(); ++i) clips[i] = fmt::format("{}", i);
  const Resampled single = resampled(judged, clips, Random(1));
  EXPECT_LT(single.intervals[0].high - single.intervals[0].low, 0.5 * half * 2);
}

TEST(Resampled, HasNoIntervalOfOneGroupAndDoesNotDependOnTheOrder) {
  std::vector<std::string> names;
  const JudgedClips judged = grouped_clips(8, 3, names);
  const std::vector<std::string> one(names.size(), "one");
  EXPECT_TRUE(std::isinf(resampled(judged, one, Random(1)).intervals[0].low));
  std::vector<int64_t> back(names.size());
  std::iota(back.rbegin(), back.rend(), 0);
  std::vector<std::string> turned(names.rbegin(), names.rend());
  const Resampled a = resampled(judged, names, Random(1), 200);
  const Resampled b = resampled(judged.only(back), turned, Random(1), 200);
  for (size_t f = 0; f < kScores; ++f) EXPECT_NEAR(a.intervals[f].low, b.intervals[f].low, 1e-12);
}

TEST(Resampled, PairsTheModelsOfADifference) {
  std::vector<std::string> names;
  const JudgedClips a = grouped_clips(20, 4, names);
  const Resampled same = resampled_difference(a, a, names, Random(1), 100);
  for (const Interval& interval : same.intervals) {
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 0);
  }
  JudgedClips b = a;  // wrong about each first clip of a group: always worse by a share
  for (size_t i = 0; i < b.truth.size(); i += 4) b.predicted[i] = 1 - b.truth[i];
  const Resampled worse = resampled_difference(a, b, names, Random(1), 400);
  EXPECT_GT(worse.intervals[0].low, 0);
  EXPECT_LE(worse.intervals[0].high, 0.25);
}

}  // namespace
}  // namespace distal
