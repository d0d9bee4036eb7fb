#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "distal/report/curves.h"
#include "distal/report/html.h"
#include "distal/report/sections.h"

namespace distal::sections {
namespace {

constexpr double kShares[] = {0.9, 0.95};  // of the best final accuracy
constexpr const char* kDash = "–";

Estimate of_third(const Summary& summary, const ArmView& arm, double Thirds::*third) {
  std::vector<double> values;
  for (const auto* trial : arm.trials) {
    const BudgetCurve curve = budget_curve(summary, *trial);
    if (curve.has_width()) values.push_back(aubc_thirds(curve.accuracy, curve.spent).*third);
  }
  return estimate(values);
}

/// Difference, p, p after Holm, interval over seeds and test groups, and verdict of the arm; dashes
/// where it was compared with nobody.
std::vector<std::string> compared(const Summary& summary, const std::vector<Comparison>& all,
                                  const ArmView& arm) {
  const auto c = std::find_if(all.begin(), all.end(),
                              [&](const Comparison& other) { return other.arm == &arm; });
  if (c == all.end()) return std::vector<std::string>(5, kDash);
  const std::string other = c->against == summary.control
                                ? ""
                                : "<span class=\"ci\">− " + escaped(c->against->name) + "</span>";
  const std::string both = interval_of_points(over_groups(*c));
  return {points(c->difference.mean) + interval_of_points(c->difference) + other,
          escaped(p_value(c->p)), escaped(p_value(c->p_holm)), both.empty() ? kDash : both,
          finding(*c)};
}

std::string area_chart(const Summary& summary) {
  DotChart chart{
      "Area under the budget curve by arm", "mean accuracy over the budget, %", {}, false};
  for (const auto& arm : summary.arms) {
    if (const auto values = areas(summary, arm); !values.empty())
      chart.rows.push_back(dot_row(arm, values, "area under the curve", false));
  }
  return dots(chart, "Area under accuracy over " + summary.unit() +
                         ", divided by the width of the budget: the accuracy an arm had on average "
                         "on its way. It rewards being right early.");
}

std::string area_table(const Summary& summary) {
  const auto comparisons = compare_areas(summary);
  std::vector<std::string> headings{"arm",       "seeds",        "area",
                                    "low third", "medium third", "high third"};
  if (!comparisons.empty()) {
    headings.push_back("minus " + escaped(summary.twin()) + "<span class=\"unit\">points</span>");
    headings.insert(
        headings.end(),
        {"p", "p, Holm", "interval<span class=\"unit\">seeds and groups</span>", "verdict"});
  }
  Table table("Mean accuracy over the budget and over each third of it; of the area a paired "
              "t-test over seeds, and seeds and test groups resampled together",
              headings);
  for (const auto& arm : summary.arms) {
    const Estimate area = estimate_share(areas(summary, arm));
    if (!std::isfinite(area.mean)) continue;
    std::vector<std::string> cells{key(arm), std::to_string(area.seeds), with_interval(area)};
    for (const auto third : {&Thirds::low, &Thirds::medium, &Thirds::high})
      cells.push_back(percent(of_third(summary, arm, third).mean));
    const auto tested =
        comparisons.empty() ? std::vector<std::string>{} : compared(summary, comparisons, arm);
    cells.insert(cells.end(), tested.begin(), tested.end());
    table.row(cells);
  }
  return table.empty() ? "" : table.html();
}

std::string area_part(const Summary& summary) {
  const std::string table = area_table(summary);
  if (table.empty()) return "";
  return "<h3>Area under the budget curve</h3>" + area_chart(summary) + table +
         "<p class=\"note\">Thirds of the range an arm's own budgets span; arms may change places "
         "from one to the next. Differences are taken over "
         "the budgets both runs of a pair passed through.</p>";
}

/// What the arm needs of its twin's budget for the same target.
std::string saved(const Summary& summary, const ArmView& arm, double target) {
  const ArmView* twin = twin_of(summary, arm);
  if (twin == nullptr) return kDash;
  const auto share =
      saved_share(budget_of_mean(summary, arm, target), budget_of_mean(summary, *twin, target));
  return share ? points(*share, 0) + "\u00A0%" : kDash;
}

std::vector<std::string> target_headings(const Summary& summary, double best) {
  std::vector<std::string> headings{"arm"};
  for (const double share : kShares)
    headings.push_back(fmt::format("{} to {}<span class=\"unit\">{:.0f} % of the best</span>",
                                   summary.unit(), percent(share * best), share * 100));
  if (!summary.control) return headings;
  const std::string twin = escaped(summary.twin());
  for (const double share : kShares)
    headings.push_back(
        fmt::format("saved<span class=\"unit\">at {:.0f} %, against {}</span>", share * 100, twin));
  return headings;
}

std::string target_part(const Summary& summary) {
  const double best = estimate(final_values(*summary.best, accuracy)).mean;
  Table table(
      fmt::format("{} needed to reach {:.0f} % and {:.0f} % of the best final accuracy ({}, {})",
                  summary.words().count, kShares[0] * 100, kShares[1] * 100, summary.best->name,
                  percent(best)),
      target_headings(summary, best));
  for (const auto& arm : summary.arms) {
    if (!arm.ran()) continue;
    std::vector<std::string> cells{key(arm)};
    for (const double share : kShares) {
      const double needed = budget_of_mean(summary, arm, share * best);
      cells.push_back(std::isfinite(needed) ? number(needed, 0) : "not reached");
    }
    for (const double share : kShares) {
      if (summary.control) cells.push_back(saved(summary, arm, share * best));
    }
    table.row(cells);
  }
  return "<h3>Budget to a target</h3>" + table.html() +
         "<p class=\"note\">Read off the mean curve, between rounds linearly. A target reached "
         "already by the first round counts as the first "
         "round's budget.</p>";
}

bool any_finite(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string penalty_part(const Summary& summary) {
  const auto matrix = penalties(summary);
  std::vector<size_t> shown;
  for (size_t i = 0; i < matrix.size(); ++i) {
    if (any_finite(matrix[i])) shown.push_back(i);
  }
  if (shown.size() < 3) return "";
  std::vector<std::string> headings{"arm"};
  std::vector<std::string> beaten{"is behind, mean"};
  for (const size_t j : shown) {
    std::vector<double> column;
    for (const size_t i : shown) column.push_back(matrix[i][j]);
    headings.push_back(key(summary.arms[j]));
    beaten.push_back(percent(estimate(column).mean, 0));
  }
  headings.push_back("is ahead, mean");
  beaten.push_back("");
  Table table("Share of the rounds after which the arm of the row was ahead of the arm of the "
              "column on this test set",
              headings);
  for (const size_t i : shown) {
    std::vector<std::string> cells{key(summary.arms[i])};
    for (const size_t j : shown) cells.push_back(i == j ? "" : percent(matrix[i][j], 0));
    cells.push_back(percent(estimate(matrix[i]).mean, 0));
    table.row(cells);
  }
  return "<h3>Who is ahead of whom on the way</h3>" + table.row(beaten, "strong").html() +
         "<p class=\"note\">Ahead: p &lt; 0.05 in a paired two-sided t-test over seeds, for each "
         "round by itself and without correction for their "
         "number. Only rounds count after which both arms had spent alike. Arms that begin with "
         "the same student are equal in the first.</p>";
}

bool same(const Outcome& a, const Outcome& b) {
  return a.round == b.round && a.accuracy == b.accuracy && a.answers == b.answers &&
         a.watched_s == b.watched_s && a.wall_s == b.wall_s;
}

/// The arms of the front whose outcome is this one: those that begin with the same student share
/// their first.
std::string arms_of(const Outcome& one, const std::vector<Outcome>& rows,
                    const std::vector<size_t>& front) {
  std::string keys;
  for (const size_t i : front) {
    if (same(rows[i], one)) keys += (keys.empty() ? "" : ", ") + key(*rows[i].arm);
  }
  return keys;
}

std::string front_part(const Summary& summary) {
  const auto rows = outcomes(summary);
  const auto front = pareto_front(rows);
  if (front.empty()) return "";
  Table table("Outcomes that no other was at least as accurate as, on average over seeds, for no "
              "more answers, video and time",
              {"arm", "round", "accuracy", "answers", "video watched", "wall time"});
  for (const size_t i : front) {
    const Outcome& o = rows[i];
    const auto first = std::find_if(front.begin(), front.end(),
                                    [&](size_t other) { return same(rows[other], o); });
    if (*first != i) continue;  // stands there already
    table.row({arms_of(o, rows, front), std::to_string(o.round), percent(o.accuracy),
               number(o.answers, 0), wall_time(o.watched_s), wall_time(o.wall_s)});
  }
  return fmt::format("<details><summary>What is worth its cost: {} of {} outcomes</summary>",
                     front.size(), rows.size()) +
         table.html() +
         "<p class=\"note\">Wall time of scoring, selecting, asking, training and evaluating so "
         "far; arms that share their first student are each "
         "charged for it. Means that lie close together may change places with other seeds or on "
         "another machine.</p></details>";
}

}  // namespace

std::string budget(const Summary& summary) {
  if (summary.rounds < 2 || !summary.best) return "";
  return section(
      "budget", "What the budget buys",
      area_part(summary) + target_part(summary) + penalty_part(summary) + front_part(summary));
}

}  // namespace distal::sections
