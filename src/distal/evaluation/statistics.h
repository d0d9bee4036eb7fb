#pragma once
// What may be said about measured curves: means with intervals, paired tests over seeds, areas and
// labels to target, intervals over seeds and test groups together, and the sentence. Pure functions
// of numbers; NaN or infinite input is a bug (`expect`).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace distal {

class Random;

struct Interval {
  double low = 0;
  double high = 0;
};

// Student's t

/// P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom. t and freedom may be
/// infinite.
double student_t_two_sided_p(double t, double freedom);
/// The t with P(|T| >= t) = p, p in (0, 1), freedom > 0. Infinite where no double holds it.
double student_t_critical(double p, double freedom);

/// n values: mean, sample standard deviation (n - 1), 95 % interval of the mean by Student's t.
/// With one value sd is 0 and the interval is all numbers; with none the mean is NaN too.
struct Summary95 {
  int64_t n = 0;
  double mean = 0;
  double sd = 0;
  Interval interval;
};
Summary95 summarise(const std::vector<double>& values);

/// Two-sided paired t-test. Differences are a - b, one per pair: the same seed, initial pool and
/// test set.
struct PairedTest {
  Summary95 difference;
  double t = 0;  // infinite where all differences are equal and not 0
  double p = 1;  // 1 with fewer than two pairs
};
/// Where all differences are equal (up to rounding, 1e-12) there is no spread for t to use, and a
/// t-test would be certain of anything: there the exact sign test stands in, p = 2^(1 - n), or 1
/// where they are 0.
PairedTest paired_t_test(const std::vector<double>& differences);
PairedTest paired_t_test(const std::vector<double>& a, const std::vector<double>& b);

/// Adjusted p-values in the order given: reject where adjusted < level keeps the chance of any
/// false rejection below level. S. Holm, "A simple sequentially rejective multiple test procedure",
/// Scandinavian Journal of Statistics 6(2), 1979.
std::vector<double> holm(const std::vector<double>& p);

// Budget curves

/// Area under the budget curve by trapezoids. Without x the points are equally spaced over [0, 1],
/// whatever the budgets; with x the area is NOT divided by the range of x. X. Zhan et al., "A
/// Comparative Survey: Benchmarking for Pool-based Active Learning", IJCAI 2021; C. Lueth et al.,
/// NeurIPS 2023, arXiv 2301.10625. One point: its value (without x), 0 (with x).
double aubc(const std::vector<double>& accuracy);
double aubc(const std::vector<double>& accuracy, const std::vector<double>& x);

/// The least budget at which the curve, linear between its points, reaches `target`; nullopt where
/// it never does. `budget` never falls. The first crossing counts, also where the curve falls
/// again.
std::optional<double> labels_to_target(const std::vector<double>& budget,
                                       const std::vector<double>& accuracy, double target);

/// Pairwise penalties: [M][M], cell [i][j] is the share of budgets at which method i (row) beats
/// method j (column): mean of the paired differences > 0 and paired_t_test p < 0.05. So a large row
/// is a strong method, a large column a weak one. `curves` is [method][repeat][budget]; repeats are
/// paired in order, the longer list is cut; fewer than 2 pairs: 0. J. Ash et al., ICLR 2020, arXiv
/// 1906.03671 (published codes differ among themselves in the orientation).
std::vector<std::vector<double>> penalty_matrix(
    const std::vector<std::vector<std::vector<double>>>& curves);

// Two models on the same test clips

/// Difference a - b with the 95 % percentile interval of a crossed bootstrap: every draw takes as
/// many seeds as there are, and as many test groups, both with replacement, so that seeds and
/// groups are resampled together (clips of one source video or patient are not independent, nor are
/// the seeds of one test set). A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics
/// 1(2), 2007. `difference` is [seed][clip], as +1, 0 or -1 for right and wrong; `group` names each
/// clip's group. The interval is all numbers with fewer than two seeds or groups. O(draws * seeds *
/// groups) time, whatever the number of clips; beyond 1,000 groups several are drawn together.
struct Crossed {
  int64_t seeds = 0;
  int64_t groups = 0;
  double difference = 0;
  Interval interval;
};
Crossed crossed_bootstrap(const std::vector<std::vector<double>>& difference,
                          const std::vector<std::string>& group, Random random,
                          int64_t draws = 4000);

/// The fewest groups of which anything may be claimed: with five that all point one way the exact
/// sign test over groups still gives p = 2 * 2^-5 > 0.05.
inline constexpr int64_t kFewestGroups = 6;

// In words

enum class Better { larger, smaller };

/// What is known of a difference A - B.
struct Evidence {
  std::vector<double> differences;  // one per pair of runs with the same seed
  std::optional<double>
      p_holm;  // of the paired t-test over seeds, corrected for what else was tested
  std::optional<Crossed>
      crossed;  // in the unit of `differences`; nullopt: which test clips were right is not known
  bool one_teacher = false;  // an arm learned from a teacher, the same for every seed
};

/// How far a difference is shown. this_test_set: the paired t-test over seeds alone finds it, after
/// Holm where given. other_groups: the interval of seeds and test groups resampled together lies on
/// the same side of 0 as well.
enum class Shown { nowhere, this_test_set, other_groups };
Shown shown(const Evidence& evidence);

/// "A is better than B" (or worse) only where the difference is shown for other groups; "A is ahead
/// of B on this test set" (or behind) where the seeds alone show it; else "no difference shown".
/// Always with the mean difference, both tests by their names, and "with this one teacher" where
/// there is one. Without an interval over seeds where all differences are equal (up to rounding).
/// `others`: what the test groups are, in the plural.
std::string verdict(const std::string& name_a, const std::string& name_b, const Evidence& evidence,
                    const std::string& unit, Better better = Better::larger,
                    const std::string& others = "videos");

}  // namespace distal
