#pragma once
// What may be said about measured curves: means with intervals, paired tests over seeds, areas and labels to target,
// comparisons over source videos, and the sentence. Pure functions of numbers; NaN or infinite input is a bug (`expect`).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace distal {

struct Interval {
  double low = 0, high = 0;
};

// Student's t

/// I_x(a, b) for a, b > 0 and x in [0, 1]: continued fraction, DLMF 8.17.22 (dlmf.nist.gov/8.17).
double regularised_incomplete_beta(double a, double b, double x);
/// P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom: I_x(freedom / 2, 1 / 2), x = freedom / (freedom + t^2).
double student_t_two_sided_p(double t, double freedom);
/// The t with P(|T| >= t) = p, p in (0, 1).
double student_t_critical(double p, double freedom);

/// n values: mean, sample standard deviation (n - 1), 95 % interval of the mean by Student's t. With one value sd is 0 and the
/// interval is all numbers; with none the mean is NaN too.
struct Summary95 {
  int64_t n = 0;
  double mean = 0, sd = 0;
  Interval interval;
};
Summary95 summarise(const std::vector<double>& values);

/// Two-sided paired t-test. Differences are a - b, one per pair: the same seed, initial pool and test set.
struct PairedTest {
  Summary95 difference;
  double t = 0;  // infinite where all differences are equal and not 0
  double p = 1;  // 1 with fewer than two pairs
};
/// Where all differences are equal (up to rounding, 1e-12) there is no spread for t to use, and a t-test would be certain of
/// anything: there the exact sign test stands in, p = 2^(1 - n), or 1 where they are 0.
PairedTest paired_t_test(const std::vector<double>& differences);
PairedTest paired_t_test(const std::vector<double>& a, const std::vector<double>& b);

/// Adjusted p-values in the order given: reject where adjusted < level keeps the chance of any false rejection below level.
/// S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.
std::vector<double> holm(const std::vector<double>& p);

// Budget curves

/// Area under the budget curve by trapezoids. Without x the points are equally spaced over [0, 1], whatever the budgets; with
/// x the area is NOT divided by the range of x. X. Zhan et al., "A Comparative Survey: Benchmarking for Pool-based Active
/// Learning", IJCAI 2021; C. Lueth et al., NeurIPS 2023, arXiv 2301.10625. One point: its value (without x), 0 (with x).
double aubc(const std::vector<double>& accuracy);
double aubc(const std::vector<double>& accuracy, const std::vector<double>& x);

/// The least budget at which the curve, linear between its points, reaches `target`; nullopt where it never does. `budget`
/// never falls. The first crossing counts, also where the curve falls again.
std::optional<double> labels_to_target(const std::vector<double>& budget, const std::vector<double>& accuracy, double target);

/// Pairwise penalties: [M][M], cell [i][j] is the share of budgets at which method i (row) beats method j (column): mean of
/// the paired differences > 0 and paired_t_test p < 0.05. So a large row is a strong method, a large column a weak one.
/// `curves` is [method][repeat][budget]; repeats are paired in order, the longer list is cut; fewer than 2 pairs: 0.
/// J. Ash et al., ICLR 2020, arXiv 1906.03671 (published codes differ among themselves in the orientation).
std::vector<std::vector<double>> penalty_matrix(const std::vector<std::vector<std::vector<double>>>& curves);

// One test set, two models

/// Difference of accuracy a - b over test clips, with the 95 % percentile interval of a bootstrap that draws whole source
/// videos (clips of one video are not independent). `a` and `b` hold 0 or 1 per clip, or the share of seeds that were
/// right; `video` names each clip's source. All numbers with fewer than two videos. B. Efron and R. Tibshirani,
/// "An Introduction to the Bootstrap", 1993.
struct Bootstrap {
  int64_t videos = 0;
  double difference = 0;
  Interval interval;
};
Bootstrap bootstrap_videos(const std::vector<double>& a, const std::vector<double>& b, const std::vector<std::string>& video, Random random,
                           int64_t draws = 10000);

// In words

enum class Better { larger, smaller };

/// "A is better than B" (or worse) only where p, after Holm where given, is below 0.05, else "no difference shown"; always
/// with the mean difference, its interval, n and p. `differences` are A - B in `unit`, one per pair, as in "accuracy points".
std::string verdict(const std::string& name_a, const std::string& name_b, const std::vector<double>& differences, const std::string& unit,
                    std::optional<double> p_holm = std::nullopt, Better better = Better::larger);

}  // namespace distal
