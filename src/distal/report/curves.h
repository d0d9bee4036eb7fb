#pragma once
// What budget curves say beyond their last point: the accuracy in a part of the budget, what an arm
// saves, which arm is ahead how often, and which outcomes nothing cheaper matches. Areas, tests and
// the bootstrap over source videos are in statistics.h. Pure functions; pointers point into the
// Summary.

#include <optional>
#include <vector>

#include "distal/report/summary.h"

namespace distal {

/// Mean height of a curve, linear between its points, over the budgets [from, to]: the area there
/// divided by to - from. x never falls; x.front() <= from < to <= x.back() (`expect`).
double mean_between(const std::vector<double>& accuracy, const std::vector<double>& x, double from,
                    double to);

/// Mean accuracy in each third of the range of budgets: one number hides curves that cross (C.
/// Lueth et al., NeurIPS 2023, arXiv 2301.10625). Arguments as for aubc: without x the points are
/// equally spaced, and the mean of the thirds is aubc(accuracy); with x it is aubc(accuracy, x)
/// divided by the range of x, which must have a width (`expect`).
struct Thirds {
  double low = 0;
  double medium = 0;
  double high = 0;
};
Thirds aubc_thirds(const std::vector<double>& accuracy);
Thirds aubc_thirds(const std::vector<double>& accuracy, const std::vector<double>& x);

/// The share of the control's budget that an arm does not need for the same target: 1 - needed /
/// control, negative where it needs more. Infinity means never reached (budget_of_mean); nullopt
/// where either was not, or the control needed nothing.
std::optional<double> saved_share(double needed, double control);

/// Mean accuracy of each arm minus its twin's over the budgets both runs of a pair passed through.
std::vector<Comparison> compare_areas(const Summary& summary);

/// [A][A] over summary.arms: cell [i][j] is the share of rounds after which arm i (row) was better
/// than arm j (column), in the mean and by a paired two-sided t-test with p < 0.05
/// (penalty_matrix): a large row is a strong arm, a large column a weak one. Runs are paired by
/// seed, and only rounds count after which both arms had spent alike. NaN on the diagonal, and
/// where two arms have fewer than two such rounds, or two seeds whose accuracies there are finite.
std::vector<std::vector<double>> penalties(const Summary& summary);

/// An arm after a round: means over the seeds that have it. Accuracy is wanted high, the costs so
/// far low.
struct Outcome {
  const ArmView* arm = nullptr;
  int64_t round = 0;
  double accuracy = 0;
  double answers = 0;
  double watched_s = 0;  // s of video
  double wall_s = 0;     // s of computing and asking
  double spent = 0;      // of the budget, in its unit
};
/// Of every arm after each of its rounds. Arms that begin alike share their first student, whose
/// training is measured once: each of them is charged for it.
std::vector<Outcome> outcomes(const Summary& summary);

/// Seconds of computing and asking until the last round of each seed, which may have more rounds
/// than another: the mean over seeds. NaN: the arm did not run.
double whole_wall_s(const Summary& summary, const ArmView& arm);

/// The rows that no other row beats, in their order: none is at least as accurate at no more of any
/// cost, and better in one of the four. Equal rows stay together. A row with a value that is not
/// finite is left out and beats nobody.
std::vector<size_t> pareto_front(const std::vector<Outcome>& rows);

}  // namespace distal
