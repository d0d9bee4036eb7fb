#pragma once
// Scores of a model on clips whose class is known, as scikit-learn defines them, with intervals
// that resample whole videos or groups of clips. Letters: M clips, K classes of the model.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/evaluation/statistics.h"

namespace distal {

class Random;

/// What a model said about M clips, and what they show. Classes are indices in [0, K).
struct JudgedClips {
  int64_t classes = 0;                // K
  std::vector<double> probabilities;  // [M * K], rows sum to 1
  std::vector<int64_t> truth;         // [M]
  std::vector<int64_t> predicted;     // [M]

  int64_t clips() const { return std::ssize(truth); }
  double probability(int64_t clip, int64_t k) const { return probabilities[clip * classes + k]; }
  double confidence(int64_t clip) const { return probability(clip, predicted[clip]); }
  bool right(int64_t clip) const { return predicted[clip] == truth[clip]; }
  /// Only the clips at `rows`, in this order.
  JudgedClips only(const std::vector<int64_t>& rows) const;
};

/// What the numbers mean stands in kScoreFields.
struct Scores {
  double accuracy = 0;
  double balanced_accuracy = 0;
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  double jaccard = 0;
  double weighted_f1 = 0;
  double kappa = 0;
  double mcc = 0;
  double log_loss = 0;
  double brier = 0;
  double ece = 0;
};

struct ScoreField {
  const char* name;
  double Scores::*member;
  const char* heading;
  const char* meaning;  // a line of docs/reference/run-files.md
  bool share = true;    // shown in per cent
  Better better = Better::larger;
};

/// `macro`: the mean over the classes that a clip shows or the model named; a class where the
/// number has no denominator counts as 0 (zero_division=0).
inline constexpr ScoreField kScoreFields[] = {
    {"accuracy", &Scores::accuracy, "accuracy", "clips whose most probable class is the truth"},
    {"balanced_accuracy", &Scores::balanced_accuracy, "balanced accuracy",
     "mean of the recalls of the classes that a clip shows"},
    {"precision", &Scores::precision, "precision, macro",
     "mean over classes of the share of right clips among those that the model gave the class"},
    {"recall", &Scores::recall, "recall, macro",
     "mean over classes of the share of right clips among those that show the class"},
    {"f1", &Scores::f1, "F1, macro", "mean over classes of 2 x hits / (shown + named)"},
    {"jaccard", &Scores::jaccard, "Jaccard, macro",
     "mean over classes of hits / (shown + named - hits)"},
    {"weighted_f1", &Scores::weighted_f1, "F1, weighted",
     "F1 of the classes, weighted by the clips that show them"},
    {"kappa", &Scores::kappa, "Cohen's kappa",
     "agreement beyond chance of truth and prediction; 0 where chance explains all", false},
    {"mcc", &Scores::mcc, "Matthews correlation",
     "correlation of truth and prediction over all classes; 0 where one of them never varies",
     false},
    {"log_loss", &Scores::log_loss, "log loss",
     "mean of -log of the truth's probability, in nats; probabilities count as 2.2e-16 at least",
     false, Better::smaller},
    {"brier", &Scores::brier, "Brier score",
     "mean over clips of the summed squares of probability minus truth, 0 to 2", false,
     Better::smaller},
    {"ece", &Scores::ece, "ECE", "expected calibration error, 15 equal bins of confidence", true,
     Better::smaller},
};
inline constexpr size_t kScores = std::size(kScoreFields);

/// The bins of confidence of `ece`, 15: mean confidence and accuracy, 0 where a bin is empty.
struct ConfidenceBin {
  int64_t clips = 0;
  double confidence = 0;
  double accuracy = 0;
};

/// One class against all others. NaN: not defined, as no clip shows the class (recall,
/// average_precision, roc_auc), every clip does (roc_auc), or the model never named it (precision).
struct ClassScores {
  int64_t clips = 0;  // that show it
  int64_t named = 0;  // that the model gave it
  int64_t hits = 0;
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  double jaccard = 0;
  double average_precision = 0;  // sum over thresholds of the rise of recall times precision
  double roc_auc = 0;
};

/// M >= 1 (`expect`).
Scores scores_of(const JudgedClips& judged);
std::vector<ClassScores> class_scores(const JudgedClips& judged);           // [K]
std::vector<ConfidenceBin> confidence_bins(const JudgedClips& judged);      // [15]
std::vector<std::vector<int64_t>> confusion_of(const JudgedClips& judged);  // [truth][predicted]

/// 95 % percentile intervals of the bootstrap of clusters: every draw takes as many clusters as
/// there are, with replacement, each with all of its clips. A. C. Davison, D. V. Hinkley,
/// "Bootstrap Methods and their Application", 1997, chapter 2.4. All numbers where there are fewer
/// than two clusters. O(draws x (clips + K)) time.
struct Resampled {
  int64_t clusters = 0;
  std::vector<Interval> intervals;  // one a row of kScoreFields
};
inline constexpr int64_t kScoreDraws = 2000;
/// `cluster` names each clip's video, or its group.
Resampled resampled(const JudgedClips& judged, const std::vector<std::string>& cluster,
                    Random random, int64_t draws = kScoreDraws);
/// Of the differences a - b of two models on the same clips, each draw with the same clusters for
/// both.
Resampled resampled_difference(const JudgedClips& a, const JudgedClips& b,
                               const std::vector<std::string>& cluster, Random random,
                               int64_t draws = kScoreDraws);

}  // namespace distal
