#pragma once
// Results grouped for a reader: arms with their seeds, the control, the best arm, and the
// comparisons the report shows. Values only; pointers point into the Results they were made of.

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/evaluation/results.h"
#include "distal/evaluation/statistics.h"
#include "distal/report/svg.h"

namespace distal {

/// A mean over seeds with its 95 % interval (Student's t). Not finite where unknown; no interval
/// with one seed.
struct Estimate {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double low = mean;
  double high = mean;
  int64_t seeds = 0;
};
Estimate estimate(const std::vector<double>& values);
/// Of values in [0, 1], such as accuracies: the interval ends where they do.
Estimate estimate_share(const std::vector<double>& values);

struct ArmView {
  std::string name;
  SeriesStyle style;                 // grey for the one control the others are tested against
  std::vector<const Trial*> trials;  // with at least one round, by seed
  bool ran() const { return !trials.empty(); }
};

using Measure = std::function<double(const RoundResult&)>;

struct Comparison {
  const ArmView* arm = nullptr;
  const ArmView* against =
      nullptr;                      // its twin: the control, unless the recipe names another for it
  std::vector<double> differences;  // arm minus twin, per paired seed
  Estimate difference;              // interval by Student's t over the pairs
  double p = std::numeric_limits<double>::quiet_NaN();
  double p_holm = p;
  std::optional<Crossed> crossed;  // seeds and test groups resampled together; nullopt: which test
                                   // clips were right is not known
  bool one_teacher = false;  // an arm of the two learned from a teacher, the same for every seed
  Evidence evidence(double scale = 1) const;  // the differences in units of 1 / scale
  Shown shown() const;
  std::string finding() const;  // "better", "worse", "ahead on this test set", "behind on this test
                                // set" or "not shown to differ"
  std::string sentence() const;  // verdict, in accuracy points
};

struct Summary {
  const Results* results = nullptr;
  std::vector<ArmView> arms;            // in the order they first appear
  const ArmView* control = nullptr;     // null where no arm is a control
  const ArmView* best = nullptr;        // greatest mean final accuracy; null where nothing ran
  int64_t rounds = 0;                   // the most any trial has
  std::vector<Comparison> comparisons;  // final accuracy of each arm against its twin (compare)

  explicit Summary(const Results& results);
  Summary(const Summary&) = delete;
  Summary& operator=(const Summary&) = delete;

  double spent(const RoundResult& round) const { return spent_of(round, results->budget_unit); }
  /// Whom the comparisons are with, in words: the control's name, or "its twin" where they differ.
  std::string twin() const;
  /// What the budget counts, in words.
  struct Unit {
    const char* name;   // in a sentence
    const char* axis;   // of a chart
    const char* title;  // of its section
    const char* count;  // begins a sentence: how much was needed
  };
  const Unit& words() const;
  std::string unit() const { return words().name; }
};

std::vector<double> final_values(const ArmView& arm, const Measure& measure);
double accuracy(const RoundResult& round);

/// Whom an arm is tested against; null for a control that names nobody, and where there is no
/// control.
const ArmView* twin_of(const Summary& summary, const ArmView& arm);
/// Runs of two arms with the same seed, in the order of `a`.
std::vector<std::pair<const Trial*, const Trial*>> paired_trials(const ArmView& a,
                                                                 const ArmView& b);
/// Whether what two arms spent may be called the same: within 1 % of the larger.
bool spent_alike(double a, double b);

/// Each arm minus its twin in what `difference` measures (not finite: that pair does not count),
/// seed by seed, with a paired t-test, corrected by Holm over the arms tested here, and with seeds
/// and test groups resampled together. `by_clip`: the same difference for each test clip, whose
/// mean it is; empty where it is not known. Arms without a pair are left out.
using Difference = std::function<double(const Trial& arm, const Trial& twin)>;
using ClipDifference = std::function<std::vector<double>(const Trial& arm, const Trial& twin)>;
std::vector<Comparison> compare(const Summary& summary, const Difference& difference,
                                const ClipDifference& by_clip);

/// What a run had spent after each round, and its accuracy then. Rounds where either is not finite
/// are left out, and those that say they had spent less than the one before.
struct BudgetCurve {
  std::vector<double> spent, accuracy;
  std::vector<size_t> round;  // of the run, which each point is of
  bool has_width() const { return !spent.empty() && spent.back() > spent.front(); }
};
BudgetCurve budget_curve(const Summary& summary, const Trial& trial);

/// Budget spent and accuracy at each round, over the seeds that have it.
struct MeanPoint {
  Estimate spent, accuracy;
};
std::vector<MeanPoint> mean_curve(const Summary& summary, const ArmView& arm);

/// Area under accuracy over budget divided by the budget's width, per seed: the mean accuracy on
/// the way. Seeds whose curve has no width are left out.
std::vector<double> areas(const Summary& summary, const ArmView& arm);
/// The budget at which the arm's mean curve first reaches `target`, linear between rounds; infinity
/// where it never does.
double budget_of_mean(const Summary& summary, const ArmView& arm, double target);

/// Confusion counts of the final round, summed over seeds; empty where the seeds disagree on the
/// number of classes.
std::vector<std::vector<int64_t>> confusion(const ArmView& arm);

/// The experiment's answer, the sentence that matters first; never empty. Says better or worse only
/// where both tests do (verdict).
std::vector<std::string> answer(const Summary& summary);

}  // namespace distal
