#include "distal/evaluation/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include <boost/math/distributions/students_t.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"
#include "distal/evaluation/quantile.h"

namespace distal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLevel = 0.05;
constexpr size_t kMostDrawn = 1000;  // groups, by the crossed bootstrap

// A critical value beyond the greatest double is infinite; Boost would throw unless told so.
using InfiniteOnOverflow = boost::math::policies::policy<
    boost::math::policies::overflow_error<boost::math::policies::ignore_error>>;
using StudentsT = boost::math::students_t_distribution<double, InfiniteOnOverflow>;

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
  expect(a.size() == b.size(), "paired values have equal lengths");
  std::vector<double> difference(a.size());
  std::transform(a.begin(), a.end(), b.begin(), difference.begin(), std::minus<>());
  return difference;
}

double trapezoids(const std::vector<double>& y, const std::function<double(size_t)>& step) {
  double area = 0;
  for (size_t i = 0; i + 1 < y.size(); ++i) area += (y[i] + y[i + 1]) / 2 * step(i);
  return area;
}

bool beats(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b,
           size_t budget) {
  const size_t pairs = std::min(a.size(), b.size());
  if (pairs < 2) return false;
  std::vector<double> differences;
  for (size_t repeat = 0; repeat < pairs; ++repeat)
    differences.push_back(a[repeat].at(budget) - b[repeat].at(budget));
  const PairedTest test = paired_t_test(differences);
  return test.difference.mean > 0 && test.p < kLevel;
}

std::string p_text(double p) { return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3g}", p); }

std::string signed_text(double value) {
  const std::string text = fmt::format("{:+.2f}", value);
  return text == "-0.00" || text == "+0.00" ? "0.00" : text;
}

bool no_spread(const Summary95& of) { return of.sd <= 1e-12 * std::max(1.0, std::abs(of.mean)); }

/// What the seeds say. Equal differences have no spread, so no interval: the sign test alone.
std::string seeds_text(const PairedTest& test, const std::optional<double>& p_holm) {
  const auto& [n, mean, sd, interval] = test.difference;
  const std::string holm_text = p_holm ? fmt::format(", {} after Holm", p_text(*p_holm)) : "";
  if (!no_spread(test.difference))
    return fmt::format("paired t-test over seeds: 95 % interval {} to {}, n = {} pairs, {}{}",
                       signed_text(interval.low), signed_text(interval.high), n, p_text(test.p),
                       holm_text);
  if (std::isfinite(test.t))
    return fmt::format("paired t-test over seeds: nothing to test, for all n = {} pairs are equal",
                       n);
  return fmt::format("paired t-test over seeds: no interval, for all n = {} pairs differ by as "
                     "much; sign test: {}{}",
                     n, p_text(test.p), holm_text);
}

std::string crossed_text(const std::optional<Crossed>& crossed) {
  if (!crossed) return "cannot be told, which test clips were right is not known";
  if (crossed->groups < 2) return "cannot be told, all test clips are of one group";
  if (crossed->seeds < 2) return "cannot be told of one seed";
  const std::string text =
      fmt::format("95 % interval {} to {}, {} groups", signed_text(crossed->interval.low),
                  signed_text(crossed->interval.high), crossed->groups);
  return crossed->groups < kFewestGroups
             ? text + fmt::format(", too few: {} are the least", kFewestGroups)
             : text;
}

}  // namespace

double student_t_two_sided_p(double t, double freedom) {
  expect(freedom > 0 && !std::isnan(t), "student_t_two_sided_p: freedom > 0 and t a number");
  return 2 * cdf(complement(StudentsT(freedom), std::abs(t)));
}

double student_t_critical(double p, double freedom) {
  expect(freedom > 0 && p > 0 && p < 1, "student_t_critical: freedom > 0 and p in (0, 1)");
  return quantile(complement(StudentsT(freedom), p / 2));
}

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Summary95 summarise(const std::vector<double>& values) {
  for (const double v : values) expect(std::isfinite(v), "statistics are of finite values");
  Summary95 s{static_cast<int64_t>(values.size()),
              std::numeric_limits<double>::quiet_NaN(),
              0,
              {-kInfinity, kInfinity}};
  if (s.n == 0) return s;
  const auto n = static_cast<double>(s.n);
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (s.n == 1) return s;
  double squares = 0;
  for (const double v : values) squares += (v - s.mean) * (v - s.mean);
  s.sd = std::sqrt(squares / (n - 1));
  const double half = student_t_critical(1 - 0.95, n - 1) * s.sd / std::sqrt(n);
  s.interval = {s.mean - half, s.mean + half};
  return s;
}

PairedTest paired_t_test(const std::vector<double>& differences) {
  PairedTest test{summarise(differences)};
  const auto& [n, mean, sd, interval] = test.difference;
  if (n < 2) return test;
  if (!no_spread(test.difference)) {
    test.t = mean / (sd / std::sqrt(static_cast<double>(n)));
    test.p = student_t_two_sided_p(test.t, static_cast<double>(n - 1));
  } else if (std::abs(mean) > 1e-12) {
    test.t = std::copysign(kInfinity, mean);
    test.p = std::exp2(1 - static_cast<double>(n));
  }
  return test;
}

PairedTest paired_t_test(const std::vector<double>& a, const std::vector<double>& b) {
  return paired_t_test(minus(a, b));
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double least = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    least = std::max(least, std::min(1.0, p[order[rank]] * static_cast<double>(p.size() - rank)));
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

double aubc(const std::vector<double>& accuracy) {
  expect(!accuracy.empty(), "a curve has points");
  if (accuracy.size() == 1) return accuracy[0];
  return trapezoids(accuracy, [](size_t) { return 1.0; }) /
         static_cast<double>(accuracy.size() - 1);
}

double aubc(const std::vector<double>& accuracy, const std::vector<double>& x) {
  expect(accuracy.size() == x.size(), "one x per point of the curve");
  return trapezoids(accuracy, [&](size_t i) { return x[i + 1] - x[i]; });
}

std::optional<double> labels_to_target(const std::vector<double>& budget,
                                       const std::vector<double>& accuracy, double target) {
  expect(budget.size() == accuracy.size(), "one budget per point of the curve");
  for (size_t i = 0; i < budget.size(); ++i) {
    if (i > 0) expect(budget[i] >= budget[i - 1], "budgets never fall");
    if (accuracy[i] < target) continue;
    if (i == 0) return budget[0];
    return budget[i - 1] + (target - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1]) *
                               (budget[i] - budget[i - 1]);
  }
  return std::nullopt;
}

std::vector<std::vector<double>> penalty_matrix(
    const std::vector<std::vector<std::vector<double>>>& curves) {
  const size_t methods = curves.size();
  std::vector<std::vector<double>> matrix(methods, std::vector<double>(methods, 0));
  if (methods == 0 || curves[0].empty()) return matrix;
  const size_t budgets = curves[0][0].size();
  for (size_t i = 0; i < methods; ++i) {
    for (size_t j = 0; j < methods; ++j) {
      int64_t wins = 0;
      for (size_t budget = 0; budget < budgets; ++budget)
        wins += i != j && beats(curves[i], curves[j], budget);
      if (wins > 0) matrix[i][j] = static_cast<double>(wins) / static_cast<double>(budgets);
    }
  }
  return matrix;
}

Crossed crossed_bootstrap(const std::vector<std::vector<double>>& difference,
                          const std::vector<std::string>& group, Random random, int64_t draws) {
  expect(!difference.empty() && !group.empty() && draws > 0,
         "crossed_bootstrap: seeds, clips with a group for each, and draws");
  std::map<std::string, size_t> index;  // sorted: the order of the clips does not matter
  for (const auto& name : group) index.emplace(name, 0);
  size_t next = 0;
  for (auto& [name, at] : index) at = next++;
  // Of many groups a few are drawn together: sums of independent groups are as independent, and
  // their scatter is that of the groups.
  const size_t seeds = difference.size();
  const size_t groups = std::min(index.size(), kMostDrawn);
  std::vector<double> clips(groups, 0);
  std::vector<std::vector<double>> sums(
      seeds, std::vector<double>(groups, 0));  // over the clips of a group
  for (size_t clip = 0; clip < group.size(); ++clip) {
    const size_t g = index[group[clip]] % groups;
    clips[g] += 1;
    for (size_t s = 0; s < seeds; ++s) sums[s][g] += difference[s].at(clip);
  }
  double total = 0;
  for (const auto& row : sums) total += std::accumulate(row.begin(), row.end(), 0.0);
  Crossed result{static_cast<int64_t>(seeds),
                 std::ssize(index),
                 total / static_cast<double>(seeds * group.size()),
                 {-kInfinity, kInfinity}};
  if (seeds < 2 || groups < 2) return result;
  std::vector<double> means(draws);
  std::vector<double> drawn(groups);
  std::vector<int64_t> times(seeds);  // that a seed was drawn
  for (double& mean : means) {
    check_interrupted();
    std::fill(times.begin(), times.end(), 0);
    std::fill(drawn.begin(), drawn.end(), 0.0);
    for (size_t i = 0; i < seeds; ++i) ++times[random.below(result.seeds)];
    for (size_t s = 0; s < seeds; ++s) {
      if (times[s] == 0) continue;
      for (size_t g = 0; g < groups; ++g) drawn[g] += static_cast<double>(times[s]) * sums[s][g];
    }
    double sum = 0;
    double size = 0;
    for (size_t i = 0; i < groups; ++i) {
      const int64_t g = random.below(static_cast<int64_t>(groups));
      sum += drawn[g];
      size += clips[g];
    }
    mean = sum / (static_cast<double>(seeds) * size);
  }
  std::sort(means.begin(), means.end());
  result.interval = {quantile(means, 0.025), quantile(means, 0.975)};
  return result;
}

Shown shown(const Evidence& evidence) {
  const PairedTest test = paired_t_test(evidence.differences);
  if (!(test.p < kLevel && evidence.p_holm.value_or(test.p) < kLevel)) return Shown::nowhere;
  if (!evidence.crossed || evidence.crossed->seeds < 2 || evidence.crossed->groups < kFewestGroups)
    return Shown::this_test_set;
  const Interval& both = evidence.crossed->interval;
  return (test.difference.mean > 0 ? both.low > 0 : both.high < 0) ? Shown::other_groups
                                                                   : Shown::this_test_set;
}

std::string verdict(const std::string& name_a, const std::string& name_b, const Evidence& evidence,
                    const std::string& unit, Better better, const std::string& others) {
  const PairedTest test = paired_t_test(evidence.differences);
  const int64_t n = test.difference.n;
  const double mean = test.difference.mean;
  const std::string teacher = evidence.one_teacher ? " with this one teacher" : "";
  const std::string nothing =
      fmt::format("no difference shown between {} and {}{}", name_a, name_b, teacher);
  if (n == 0) return nothing + ": nothing was measured for both (n = 0)";
  if (n == 1)
    return fmt::format("{}: {} {}, n = 1, and one pair cannot be tested", nothing,
                       signed_text(mean), unit);
  const bool good = (mean > 0) == (better == Better::larger);
  std::string says = nothing;
  if (const Shown reach = shown(evidence); reach == Shown::other_groups)
    says = fmt::format("{} is {} than {}{}", name_a, good ? "better" : "worse", name_b, teacher);
  else if (reach == Shown::this_test_set)
    says = fmt::format("{} is {} {} on this test set{}; not shown for other {}", name_a,
                       good ? "ahead of" : "behind", name_b, teacher, others);
  return fmt::format("{}: {} {} ({}; seeds and test groups resampled together: {})", says,
                     signed_text(mean), unit, seeds_text(test, evidence.p_holm),
                     crossed_text(evidence.crossed));
}

}  // namespace distal
