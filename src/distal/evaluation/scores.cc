#include "distal/evaluation/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"
#include "distal/evaluation/quantile.h"

namespace distal {
namespace {

constexpr int64_t kConfidenceBins = 15;
constexpr double kUnknownScore = std::numeric_limits<double>::quiet_NaN();

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// What the scores of clips are made of: sums, so that clips may be drawn in any number.
class Sums {
 public:
  explicit Sums(int64_t classes)
      : hits_(classes, 0), shown_(classes, 0), named_(classes, 0), bins_(kConfidenceBins) {}

  void clear() {
    for (auto* counts : {&hits_, &shown_, &named_}) std::fill(counts->begin(), counts->end(), 0);
    std::fill(bins_.begin(), bins_.end(), Bin());
    clips_ = log_loss_ = brier_ = 0;
  }

  struct Clip {
    int64_t truth, predicted, bin;
    double confidence, log_loss, brier;
  };
  void add(const Clip& clip, double times) {
    const bool right = clip.truth == clip.predicted;
    clips_ += times;
    shown_[clip.truth] += times;
    named_[clip.predicted] += times;
    if (right) hits_[clip.truth] += times;
    log_loss_ += times * clip.log_loss;
    brier_ += times * clip.brier;
    Bin& bin = bins_[clip.bin];
    bin.clips += times;
    bin.confidence += times * clip.confidence;
    if (right) bin.right += times;
  }

  Scores scores() const {
    Scores scores;
    add_classes(scores);
    add_agreement(scores);
    scores.log_loss = log_loss_ / clips_;
    scores.brier = brier_ / clips_;
    for (const Bin& bin : bins_) scores.ece += std::abs(bin.confidence - bin.right) / clips_;
    return scores;
  }

 private:
  struct Bin {
    double clips = 0;
    double confidence = 0;
    double right = 0;
  };

  void add_classes(Scores& scores) const {
    double seen = 0;     // classes that a clip shows or the model named
    double present = 0;  // classes that a clip shows
    for (size_t k = 0; k < hits_.size(); ++k) {
      const double f1 = ratio(2 * hits_[k], shown_[k] + named_[k]);
      const double recall = ratio(hits_[k], shown_[k]);
      seen += shown_[k] + named_[k] > 0 ? 1 : 0;
      present += shown_[k] > 0 ? 1 : 0;
      scores.accuracy += hits_[k] / clips_;
      scores.precision += ratio(hits_[k], named_[k]);
      scores.recall += recall;
      scores.f1 += f1;
      scores.jaccard += ratio(hits_[k], shown_[k] + named_[k] - hits_[k]);
      scores.weighted_f1 += f1 * shown_[k] / clips_;
    }
    scores.balanced_accuracy = scores.recall / present;
    for (auto member : {&Scores::precision, &Scores::recall, &Scores::f1, &Scores::jaccard})
      scores.*member /= seen;
  }

  // J. Cohen, 1960; J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
  // coefficient", 2004.
  void add_agreement(Scores& scores) const {
    double both = 0;
    double shown = 0;
    double named = 0;
    for (size_t k = 0; k < hits_.size(); ++k) {
      both += shown_[k] * named_[k];
      shown += shown_[k] * shown_[k];
      named += named_[k] * named_[k];
    }
    const double all = clips_ * clips_;
    const double hits = std::accumulate(hits_.begin(), hits_.end(), 0.0);
    scores.kappa = ratio(hits * clips_ - both, all - both);
    scores.mcc = ratio(hits * clips_ - both, std::sqrt((all - shown) * (all - named)));
  }

  std::vector<double> hits_, shown_, named_;  // clips of each class
  std::vector<Bin> bins_;
  double clips_ = 0;
  double log_loss_ = 0;
  double brier_ = 0;
};

int64_t bin_of(double confidence) {
  return std::min(kConfidenceBins - 1,
                  static_cast<int64_t>(confidence * static_cast<double>(kConfidenceBins)));
}

Sums::Clip clip_of(const JudgedClips& judged, int64_t clip) {
  constexpr double kLeast = std::numeric_limits<double>::epsilon();
  const int64_t truth = judged.truth[clip];
  double brier = 0;
  for (int64_t k = 0; k < judged.classes; ++k) {
    const double off = judged.probability(clip, k) - (k == truth ? 1 : 0);
    brier += off * off;
  }
  const double confidence = judged.confidence(clip);
  return {truth,
          judged.predicted[clip],
          bin_of(confidence),
          confidence,
          -std::log(std::clamp(judged.probability(clip, truth), kLeast, 1 - kLeast)),
          brier};
}

void require_judged(const JudgedClips& judged) {
  expect(judged.clips() > 0 && std::ssize(judged.predicted) == judged.clips() &&
             std::ssize(judged.probabilities) == judged.clips() * judged.classes,
         "a truth, a prediction and K probabilities for each clip, and one clip at least");
}

std::vector<Sums::Clip> clips_of(const JudgedClips& judged) {
  require_judged(judged);
  std::vector<Sums::Clip> clips;
  for (int64_t i = 0; i < judged.clips(); ++i) clips.push_back(clip_of(judged, i));
  return clips;
}

Scores scores_of_all(const std::vector<Sums::Clip>& clips, int64_t classes) {
  Sums sums(classes);
  for (const auto& clip : clips) sums.add(clip, 1);
  return sums.scores();
}

// The rows of each cluster; clusters in the order of their names, so that the order of the clips
// does not matter.
std::vector<std::vector<int64_t>> rows_by(const std::vector<std::string>& cluster) {
  std::map<std::string, std::vector<int64_t>> rows;
  for (size_t i = 0; i < cluster.size(); ++i) rows[cluster[i]].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> all;
  for (auto& [name, members] : rows) all.push_back(std::move(members));
  return all;
}

// `score(times)` gives the scores where cluster c was drawn times[c] times.
template <class Score>
Resampled resample(size_t clusters, Random random, int64_t draws, const Score& score) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  Resampled result{static_cast<int64_t>(clusters),
                   std::vector<Interval>(kScores, {-kInfinite, kInfinite})};
  if (clusters < 2) return result;
  std::vector<std::vector<double>> values(kScores);
  std::vector<int64_t> times(clusters);
  for (int64_t draw = 0; draw < draws; ++draw) {
    check_interrupted();
    std::fill(times.begin(), times.end(), 0);
    for (size_t i = 0; i < clusters; ++i) ++times[random.below(result.clusters)];
    const Scores drawn = score(times);
    for (size_t f = 0; f < kScores; ++f) values[f].push_back(drawn.*kScoreFields[f].member);
  }
  for (size_t f = 0; f < kScores; ++f) {
    std::sort(values[f].begin(), values[f].end());
    result.intervals[f] = {quantile(values[f], 0.025), quantile(values[f], 0.975)};
  }
  return result;
}

// Scores of drawn clusters of one model's clips.
class Drawn {
 public:
  Drawn(const JudgedClips& judged, const std::vector<std::vector<int64_t>>& rows)
      : clips_(clips_of(judged)), rows_(rows), sums_(judged.classes) {}

  Scores operator()(const std::vector<int64_t>& times) {
    sums_.clear();
    for (size_t c = 0; c < rows_.size(); ++c) {
      if (times[c] == 0) continue;
      for (const int64_t row : rows_[c]) sums_.add(clips_[row], static_cast<double>(times[c]));
    }
    return sums_.scores();
  }

 private:
  std::vector<Sums::Clip> clips_;
  const std::vector<std::vector<int64_t>>& rows_;
  Sums sums_;
};

// Clips with their rank by falling probability of class k; equal ones together.
struct Ranked {
  double probability;
  bool shows;
};

void add_ranks(const JudgedClips& judged, int64_t k, ClassScores& of) {
  of.average_precision = of.roc_auc = kUnknownScore;
  if (of.clips == 0) return;
  std::vector<Ranked> ranked;
  for (int64_t i = 0; i < judged.clips(); ++i)
    ranked.push_back({judged.probability(i, k), judged.truth[i] == k});
  std::sort(ranked.begin(), ranked.end(),
            [](const Ranked& a, const Ranked& b) { return a.probability > b.probability; });
  const auto positives = static_cast<double>(of.clips);
  const double negatives = static_cast<double>(judged.clips()) - positives;
  double hits = 0;
  double misses = 0;
  double area = 0;
  of.average_precision = 0;
  for (size_t i = 0; i < ranked.size();) {
    const double before = hits;
    const double missed = misses;
    for (const double p = ranked[i].probability; i < ranked.size() && ranked[i].probability == p;
         ++i)
      (ranked[i].shows ? hits : misses) += 1;
    of.average_precision += (hits - before) / positives * (hits / (hits + misses));
    area += (misses - missed) * (hits + before) / 2;
  }
  if (negatives > 0) of.roc_auc = area / (positives * negatives);
}

}  // namespace

JudgedClips JudgedClips::only(const std::vector<int64_t>& rows) const {
  JudgedClips part{classes, {}, {}, {}};
  for (const int64_t row : rows) {
    const auto begin = probabilities.begin() + row * classes;
    part.probabilities.insert(part.probabilities.end(), begin, begin + classes);
    part.truth.push_back(truth[row]);
    part.predicted.push_back(predicted[row]);
  }
  return part;
}

Scores scores_of(const JudgedClips& judged) {
  return scores_of_all(clips_of(judged), judged.classes);
}

std::vector<ClassScores> class_scores(const JudgedClips& judged) {
  require_judged(judged);
  std::vector<ClassScores> all(judged.classes);
  for (int64_t i = 0; i < judged.clips(); ++i) {
    ++all[judged.truth[i]].clips;
    ++all[judged.predicted[i]].named;
    all[judged.truth[i]].hits += judged.right(i);
  }
  for (int64_t k = 0; k < judged.classes; ++k) {
    ClassScores& of = all[k];
    const auto hits = static_cast<double>(of.hits);
    const auto shown = static_cast<double>(of.clips);
    const auto named = static_cast<double>(of.named);
    of.precision = of.named > 0 ? hits / named : kUnknownScore;
    of.recall = of.clips > 0 ? hits / shown : kUnknownScore;
    of.f1 = ratio(2 * hits, shown + named);
    of.jaccard = ratio(hits, shown + named - hits);
    add_ranks(judged, k, of);
  }
  return all;
}

std::vector<ConfidenceBin> confidence_bins(const JudgedClips& judged) {
  std::vector<ConfidenceBin> bins(kConfidenceBins);
  for (int64_t i = 0; i < judged.clips(); ++i) {
    ConfidenceBin& bin = bins[bin_of(judged.confidence(i))];
    ++bin.clips;
    bin.confidence += judged.confidence(i);
    bin.accuracy += judged.right(i);
  }
  for (ConfidenceBin& bin : bins) {
    bin.confidence = ratio(bin.confidence, static_cast<double>(bin.clips));
    bin.accuracy = ratio(bin.accuracy, static_cast<double>(bin.clips));
  }
  return bins;
}

std::vector<std::vector<int64_t>> confusion_of(const JudgedClips& judged) {
  std::vector<std::vector<int64_t>> counts(judged.classes, std::vector<int64_t>(judged.classes, 0));
  for (int64_t i = 0; i < judged.clips(); ++i) ++counts[judged.truth[i]][judged.predicted[i]];
  return counts;
}

Resampled resampled(const JudgedClips& judged, const std::vector<std::string>& cluster,
                    Random random, int64_t draws) {
  expect(std::ssize(cluster) == judged.clips(), "a cluster for each clip");
  const auto rows = rows_by(cluster);
  Drawn drawn(judged, rows);
  return resample(rows.size(), random, draws,
                  [&](const std::vector<int64_t>& times) { return drawn(times); });
}

Resampled resampled_difference(const JudgedClips& a, const JudgedClips& b,
                               const std::vector<std::string>& cluster, Random random,
                               int64_t draws) {
  expect(std::ssize(cluster) == a.clips() && a.clips() == b.clips(),
         "the same clips, and a cluster for each");
  const auto rows = rows_by(cluster);
  Drawn drawn_a(a, rows);
  Drawn drawn_b(b, rows);
  return resample(rows.size(), random, draws, [&](const std::vector<int64_t>& times) {
    Scores difference = drawn_a(times);
    const Scores other = drawn_b(times);
    for (const ScoreField& field : kScoreFields) difference.*field.member -= other.*field.member;
    return difference;
  });
}

}  // namespace distal
