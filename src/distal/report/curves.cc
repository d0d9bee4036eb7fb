#include "distal/report/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "distal/base/error.h"
#include "distal/evaluation/statistics.h"

namespace distal {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Pairs = std::vector<std::pair<const Trial*, const Trial*>>;

/// Rounds that every run of the pairs has, and after which both arms had spent alike on average.
std::vector<size_t> rounds_alike(const Summary& summary, const Pairs& pairs) {
  auto rounds = static_cast<size_t>(summary.rounds);
  for (const auto& [a, b] : pairs) rounds = std::min({rounds, a->rounds.size(), b->rounds.size()});
  std::vector<size_t> alike;
  for (size_t r = 0; r < rounds; ++r) {
    double mine = 0;
    double theirs = 0;
    for (const auto& [a, b] : pairs) {
      mine += summary.spent(a->rounds[r]);
      theirs += summary.spent(b->rounds[r]);
    }
    if (spent_alike(mine, theirs)) alike.push_back(r);
  }
  return alike;
}

std::vector<double> accuracies(const Trial& trial, const std::vector<size_t>& rounds) {
  std::vector<double> values;
  for (const size_t r : rounds) values.push_back(accuracy(trial.rounds[r]));
  return values;
}

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// The curves of two runs and the budgets both passed through; from >= to where there are none.
struct CommonBudget {
  BudgetCurve a, b;
  double from = 0;
  double to = 0;
};
CommonBudget common_budget(const Summary& summary, const Trial& a, const Trial& b) {
  CommonBudget common{budget_curve(summary, a), budget_curve(summary, b)};
  if (!common.a.has_width() || !common.b.has_width()) return common;
  common.from = std::max(common.a.spent.front(), common.b.spent.front());
  common.to = std::min(common.a.spent.back(), common.b.spent.back());
  return common;
}

/// Adds `times` each test clip's share of the area, which is a sum over the rounds: what a round
/// would give that is right alone, where the clip was right. False where the rounds' lists do not
/// fit.
bool add_areas(std::vector<double>& clips, const Trial& trial, const BudgetCurve& curve,
               double from, double to, double times) {
  for (size_t point = 0; point < curve.round.size(); ++point) {
    const auto& correct = trial.rounds[curve.round[point]].metrics.correct;
    if (correct.size() != clips.size()) return false;
    std::vector<double> alone(curve.spent.size(), 0);
    alone[point] = 1;
    const double weight = times * mean_between(alone, curve.spent, from, to);
    for (size_t clip = 0; clip < clips.size(); ++clip)
      clips[clip] += weight * static_cast<double>(correct[clip]);
  }
  return true;
}

/// How often the first beats the second, and the second the first.
std::pair<double, double> duel(const Summary& summary, const ArmView& a, const ArmView& b) {
  const Pairs pairs = paired_trials(a, b);
  const std::vector<size_t> rounds = rounds_alike(summary, pairs);
  std::vector<std::vector<double>> first, second;  // [seed][round]
  for (const auto& [mine, theirs] : pairs) {
    const auto of_a = accuracies(*mine, rounds);
    const auto of_b = accuracies(*theirs, rounds);
    if (!finite(of_a) || !finite(of_b)) continue;
    first.push_back(of_a);
    second.push_back(of_b);
  }
  if (rounds.size() < 2 || first.size() < 2) return {kNan, kNan};
  const auto matrix = penalty_matrix({first, second});
  return {matrix[0][1], matrix[1][0]};
}

double wall_s(const RoundResult& round) {
  double sum = 0;
  for (const RoundField& row : kRoundFields) {
    if (row.kind == RoundField::Kind::stage) sum += row.value(round);
  }
  return sum;
}

bool began_alike(const RoundResult& a, const RoundResult& b) {
  return a.answers == b.answers && a.metrics.nll == b.metrics.nll &&
         a.metrics.correct == b.metrics.correct;
}

/// Of the first round of a run, had it trained its first student by itself.
double first_wall_s(const Results& results, const Trial& trial) {
  double most = wall_s(trial.rounds.front());
  for (const auto& other : results.trials) {
    if (other.seed == trial.seed && !other.rounds.empty() &&
        began_alike(other.rounds.front(), trial.rounds.front()))
      most = std::max(most, wall_s(other.rounds.front()));
  }
  return most;
}

double wall_until(const Results& results, const Trial& trial, size_t round) {
  double sum = first_wall_s(results, trial);
  for (size_t r = 1; r <= round; ++r) sum += wall_s(trial.rounds[r]);
  return sum;
}

Outcome outcome(const Results& results, const ArmView& arm, size_t round) {
  std::vector<double> right, answers, watched, wall, spent;
  for (const auto* trial : arm.trials) {
    if (round >= trial->rounds.size()) continue;
    const RoundResult& r = trial->rounds[round];
    right.push_back(accuracy(r));
    answers.push_back(static_cast<double>(r.answers));
    watched.push_back(r.watched_s);
    wall.push_back(wall_until(results, *trial, round));
    spent.push_back(spent_of(r, results.budget_unit));
  }
  return {&arm,
          static_cast<int64_t>(round),
          estimate(right).mean,
          estimate(answers).mean,
          estimate(watched).mean,
          estimate(wall).mean,
          estimate(spent).mean};
}

bool known(const Outcome& o) { return finite({o.accuracy, o.answers, o.watched_s, o.wall_s}); }

bool beats(const Outcome& a, const Outcome& b) {
  const bool nowhere_worse = a.accuracy >= b.accuracy && a.answers <= b.answers &&
                             a.watched_s <= b.watched_s && a.wall_s <= b.wall_s;
  return nowhere_worse && (a.accuracy > b.accuracy || a.answers < b.answers ||
                           a.watched_s < b.watched_s || a.wall_s < b.wall_s);
}

}  // namespace

double mean_between(const std::vector<double>& accuracy, const std::vector<double>& x, double from,
                    double to) {
  expect(accuracy.size() == x.size() && !x.empty(), "one x per point of the curve");
  expect(std::is_sorted(x.begin(), x.end()), "budgets never fall");
  expect(x.front() <= from && from < to && to <= x.back(),
         "the part of a curve lies within it and has a width");
  double area = 0;
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    const double low = std::max(from, x[i]);
    const double high = std::min(to, x[i + 1]);
    if (low >= high) continue;
    const double middle =
        ((low + high) / 2 - x[i]) / (x[i + 1] - x[i]);  // a straight line's mean is its middle
    area += (high - low) * (accuracy[i] + middle * (accuracy[i + 1] - accuracy[i]));
  }
  return area / (to - from);
}

Thirds aubc_thirds(const std::vector<double>& accuracy) {
  expect(!accuracy.empty(), "a curve has points");
  if (accuracy.size() == 1) return {accuracy[0], accuracy[0], accuracy[0]};
  std::vector<double> x(accuracy.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  return aubc_thirds(accuracy, x);
}

Thirds aubc_thirds(const std::vector<double>& accuracy, const std::vector<double>& x) {
  expect(!x.empty(), "a curve has points");
  const double range = x.back() - x.front();
  const double first = x.front() + range / 3;
  const double second = x.front() + 2 * range / 3;
  return {mean_between(accuracy, x, x.front(), first), mean_between(accuracy, x, first, second),
          mean_between(accuracy, x, second, x.back())};
}

std::optional<double> saved_share(double needed, double control) {
  if (!std::isfinite(needed) || !std::isfinite(control) || control <= 0) return std::nullopt;
  return 1 - needed / control;
}

std::vector<Comparison> compare_areas(const Summary& summary) {
  const auto difference = [&](const Trial& arm, const Trial& twin) {
    const auto [a, b, from, to] = common_budget(summary, arm, twin);
    return from < to ? mean_between(a.accuracy, a.spent, from, to) -
                           mean_between(b.accuracy, b.spent, from, to)
                     : kNan;
  };
  const auto by_clip = [&](const Trial& arm, const Trial& twin) {
    const auto [a, b, from, to] = common_budget(summary, arm, twin);
    std::vector<double> clips(summary.results->test_groups.size(), 0);
    return add_areas(clips, arm, a, from, to, 1) && add_areas(clips, twin, b, from, to, -1)
               ? clips
               : std::vector<double>();
  };
  return compare(summary, difference, by_clip);
}

std::vector<std::vector<double>> penalties(const Summary& summary) {
  const size_t arms = summary.arms.size();
  std::vector<std::vector<double>> matrix(arms, std::vector<double>(arms, kNan));
  for (size_t i = 0; i < arms; ++i) {
    for (size_t j = i + 1; j < arms; ++j)
      std::tie(matrix[i][j], matrix[j][i]) = duel(summary, summary.arms[i], summary.arms[j]);
  }
  return matrix;
}

std::vector<Outcome> outcomes(const Summary& summary) {
  std::vector<Outcome> out;
  for (const auto& arm : summary.arms) {
    size_t rounds = 0;
    for (const auto* trial : arm.trials) rounds = std::max(rounds, trial->rounds.size());
    for (size_t r = 0; r < rounds; ++r) out.push_back(outcome(*summary.results, arm, r));
  }
  return out;
}

double whole_wall_s(const Summary& summary, const ArmView& arm) {
  std::vector<double> seconds;
  for (const auto* trial : arm.trials) {
    if (!trial->rounds.empty())
      seconds.push_back(wall_until(*summary.results, *trial, trial->rounds.size() - 1));
  }
  return estimate(seconds).mean;
}

std::vector<size_t> pareto_front(const std::vector<Outcome>& rows) {
  std::vector<size_t> front;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto beaten = [&](const Outcome& other) { return known(other) && beats(other, rows[i]); };
    if (known(rows[i]) && std::none_of(rows.begin(), rows.end(), beaten)) front.push_back(i);
  }
  return front;
}

}  // namespace distal
