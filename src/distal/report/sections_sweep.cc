#include "distal/report/sections_sweep.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "distal/report/curves.h"
#include "distal/report/html.h"
#include "distal/report/sections.h"
#include "distal/report/sweep_charts.h"

namespace distal::sections {
namespace {

constexpr double kPanel_px = 300;

std::string strategy_key(const SweepGrid::Strategy& strategy) {
  return "<svg class=\"key " + strategy.style.name() +
         "\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">" + svg::marker(strategy.style, 6, 6, 4) +
         "</svg>" + escaped(strategy.name);
}

std::string strategy_legend(const SweepGrid& grid) {
  std::string out = "<ul class=\"legend\" aria-label=\"Strategies\">";
  for (const auto& strategy : grid.strategies) out += "<li>" + strategy_key(strategy) + "</li>";
  return out + "</ul>";
}

std::string value_text(double value) { return fmt::format("{:g}", value); }

double final_accuracy(const ArmView& arm) { return estimate(final_values(arm, accuracy)).mean; }

// The front

/// An outcome with its place on the fronts over the budget and over wall time.
struct Ranked {
  Outcome outcome;
  const GridArm* arm = nullptr;
  double budget = 0;
  bool by_budget = false;
  bool by_time = false;
  int64_t number = 0;  // of those on a front, by accuracy
};

/// Marks what no outcome is as accurate as for as little. Costs within 1 % count as equal; of equal
/// outcomes the first is marked.
template <class Cost>
void mark_front(std::vector<Ranked>& all, const Cost& cost, bool Ranked::*mark) {
  std::vector<Ranked*> order;
  for (Ranked& one : all) {
    if (std::isfinite(cost(one)) && std::isfinite(one.outcome.accuracy)) order.push_back(&one);
  }
  std::stable_sort(order.begin(), order.end(), [&](const Ranked* a, const Ranked* b) {
    return a->outcome.accuracy != b->outcome.accuracy ? a->outcome.accuracy > b->outcome.accuracy
                                                      : cost(*a) < cost(*b);
  });
  double least = std::numeric_limits<double>::infinity();  // cost of what is at least as accurate
  for (Ranked* one : order) {
    one->*mark = std::isinf(least) || (cost(*one) < least && !spent_alike(cost(*one), least));
    if (one->*mark) least = cost(*one);
  }
}

void number_front(std::vector<Ranked>& all) {
  std::vector<Ranked*> on;
  for (Ranked& one : all) {
    if (one.by_budget || one.by_time) on.push_back(&one);
  }
  std::stable_sort(on.begin(), on.end(), [](const Ranked* a, const Ranked* b) {
    return a->outcome.accuracy < b->outcome.accuracy;
  });
  for (size_t i = 0; i < on.size(); ++i) on[i]->number = static_cast<int64_t>(i) + 1;
}

std::vector<Ranked> ranked(const Summary& summary, const SweepGrid& grid) {
  std::vector<Ranked> all;
  for (const Outcome& outcome : outcomes(summary))
    all.push_back({outcome, grid.of(*outcome.arm), outcome.spent});
  mark_front(
      all, [](const Ranked& one) { return one.budget; }, &Ranked::by_budget);
  mark_front(
      all, [](const Ranked& one) { return one.outcome.wall_s; }, &Ranked::by_time);
  number_front(all);
  return all;
}

std::string outcome_tip(const Summary& summary, const Ranked& one) {
  return fmt::format("{}, round {}: {} after {} {} and {}", one.arm->arm->name, one.outcome.round,
                     percent(one.outcome.accuracy), number(one.budget, 0), summary.unit(),
                     wall_time(one.outcome.wall_s));
}

template <class Cost>
ScatterChart scatter(const Summary& summary, const SweepGrid& grid, const std::vector<Ranked>& all,
                     const Cost& cost, bool Ranked::*mark) {
  ScatterChart chart;
  chart.y_title = "accuracy, %";
  for (const Ranked& one : all)
    chart.points.push_back({cost(one), one.outcome.accuracy,
                            grid.strategies[one.arm->strategy].style, outcome_tip(summary, one),
                            one.*mark ? one.number : 0});
  return chart;
}

/// Seconds, minutes or hours, whichever a reader would take.
std::pair<double, const char*> time_unit(const std::vector<Ranked>& all) {
  double most = 0;
  for (const Ranked& one : all) {
    if (std::isfinite(one.outcome.wall_s)) most = std::max(most, one.outcome.wall_s);
  }
  if (most < 120) return {1, "seconds"};
  return most < 7200 ? std::pair{60.0, "minutes"} : std::pair{3600.0, "hours"};
}

std::string front_charts(const Summary& summary, const SweepGrid& grid,
                         const std::vector<Ranked>& all) {
  const auto [unit_s, unit] = time_unit(all);
  const auto budget_of = [](const Ranked& one) { return one.budget; };
  const auto hours_of = [unit_s = unit_s](const Ranked& one) {
    return one.outcome.wall_s / unit_s;
  };
  ScatterChart budget = scatter(summary, grid, all, budget_of, &Ranked::by_budget);
  budget.x_title = summary.words().axis;
  budget.label = "Accuracy of every arm after each round over " + budget.x_title;
  ScatterChart time = scatter(summary, grid, all, hours_of, &Ranked::by_time);
  time.x_title = std::string("wall time, ") + unit;
  time.label = "Accuracy of every arm after each round over " + time.x_title;
  const auto drawn = [](const ScatterChart& chart) {
    return "<div class=\"wide\">" + scatter_chart(chart, 455) + "</div><div class=\"narrow\">" +
           scatter_chart(chart, 350) + "</div>";
  };
  return "<figure><div class=\"pair\"><div>" + drawn(budget) + "</div><div>" + drawn(time) +
         "</div></div>" + strategy_legend(grid) +
         "<figcaption>Each dot is an arm after a round, mean over seeds. The line is the best "
         "accuracy at no more than each cost; its points have the numbers of the table. Means that "
         "lie close together may change places with other seeds.</figcaption></figure>\n";
}

std::string front_table(const SweepGrid& grid, std::vector<Ranked> all, const Summary& summary) {
  std::erase_if(all, [](const Ranked& one) { return one.number == 0; });
  std::stable_sort(all.begin(), all.end(),
                   [](const Ranked& a, const Ranked& b) { return a.number > b.number; });
  std::vector<std::string> headings{"strategy", "no."};
  for (const size_t i : grid.swept()) headings.push_back(escaped(grid.options[i].name));
  headings.insert(headings.end(),
                  {"round", "accuracy", escaped(summary.unit()), "wall time", "cheapest in"});
  Table table("Outcomes that no cheaper one is as accurate as", headings);
  for (const Ranked& one : all) {
    std::vector<std::string> cells{strategy_key(grid.strategies[one.arm->strategy]),
                                   std::to_string(one.number)};
    for (const size_t i : grid.swept()) cells.push_back(value_text(one.arm->point[i]));
    const std::string best = one.by_budget && one.by_time ? "both"
                             : one.by_budget              ? summary.unit()
                                                          : "wall time";
    const std::vector<std::string> rest{std::to_string(one.outcome.round),
                                        percent(one.outcome.accuracy), number(one.budget, 0),
                                        wall_time(one.outcome.wall_s), escaped(best)};
    cells.insert(cells.end(), rest.begin(), rest.end());
    table.row(cells);
  }
  return table.empty() ? "" : table.html();
}

// The maps

/// How the grid is laid out: one map a panel, over two options or over strategies and one option.
struct Layout {
  size_t across = 0;                         // an option
  std::optional<size_t> down;                // an option; nothing: the strategies are the rows
  std::vector<size_t> rest;                  // options that differ from panel to panel
  std::vector<std::vector<double>> of_rest;  // their values, panel by panel
};

/// Every combination of the values of some options, the last changing fastest.
std::vector<std::vector<double>> combinations(const SweepGrid& grid,
                                              const std::vector<size_t>& options) {
  std::vector<std::vector<double>> all{{}};
  for (const size_t i : options) {
    std::vector<std::vector<double>> longer;
    for (const auto& begun : all) {
      for (const double value : grid.options[i].values) {
        longer.push_back(begun);
        longer.back().push_back(value);
      }
    }
    all = std::move(longer);
  }
  return all;
}

Layout layout_of(const SweepGrid& grid) {
  const std::vector<size_t> swept = grid.swept();
  Layout layout{swept.front(), std::nullopt, {}, {}};
  if (swept.size() > 1) layout.down = swept[1];
  for (size_t i = 2; i < swept.size(); ++i) layout.rest.push_back(swept[i]);
  layout.of_rest = combinations(grid, layout.rest);
  return layout;
}

/// The point of a panel's cell; options with one value have that.
std::vector<double> point_at(const SweepGrid& grid, const Layout& layout,
                             const std::vector<double>& rest, double across,
                             std::optional<double> down) {
  std::vector<double> point;
  for (const SweptOption& option : grid.options) point.push_back(option.values.front());
  point[layout.across] = across;
  if (down) point[*layout.down] = *down;
  for (size_t i = 0; i < rest.size(); ++i) point[layout.rest[i]] = rest[i];
  return point;
}

/// What a map shows of an arm; an empty text: nothing.
using CellOf = std::function<GridMap::Cell(const GridArm&)>;

GridMap::Cell cell_at(const SweepGrid& grid, size_t strategy, const std::vector<double>& point,
                      const CellOf& of) {
  const GridArm* arm = grid.at(strategy, point);
  return arm != nullptr && arm->arm->ran() ? of(*arm) : GridMap::Cell{};
}

std::vector<std::string> texts_of(const std::vector<double>& values) {
  std::vector<std::string> out;
  for (const double value : values) out.push_back(value_text(value));
  return out;
}

/// One strategy over two options.
GridMap option_map(const SweepGrid& grid, const Layout& layout, size_t strategy,
                   const std::vector<double>& rest, const CellOf& of) {
  const SweptOption& across = grid.options[layout.across];
  const SweptOption& down = grid.options[*layout.down];
  GridMap map{.across = across.name + " →", .down = down.name + " ↓"};
  map.columns = texts_of(across.values);
  map.rows = texts_of(down.values);
  for (const double row : down.values) {
    map.cells.emplace_back();
    for (const double column : across.values)
      map.cells.back().push_back(
          cell_at(grid, strategy, point_at(grid, layout, rest, column, row), of));
  }
  return map;
}

/// All strategies over the one option that is swept.
GridMap strategy_map(const SweepGrid& grid, const Layout& layout, const CellOf& of) {
  const SweptOption& across = grid.options[layout.across];
  GridMap map{.across = across.name + " →", .down = ""};
  map.columns = texts_of(across.values);
  for (size_t s = 0; s < grid.strategies.size(); ++s) {
    map.rows.push_back(grid.strategies[s].name);
    map.cells.emplace_back();
    for (const double column : across.values)
      map.cells.back().push_back(
          cell_at(grid, s, point_at(grid, layout, {}, column, std::nullopt), of));
  }
  return map;
}

struct Panel {
  std::string heading;  // HTML
  GridMap map;
};

std::vector<Panel> panels(const SweepGrid& grid, const CellOf& of) {
  const Layout layout = layout_of(grid);
  std::vector<Panel> all;
  if (!layout.down) all.push_back({"", strategy_map(grid, layout, of)});
  for (const auto& rest : layout.of_rest) {
    for (size_t s = 0; layout.down && s < grid.strategies.size(); ++s) {
      Panel panel{strategy_key(grid.strategies[s]), option_map(grid, layout, s, rest, of)};
      for (size_t i = 0; i < rest.size(); ++i)
        panel.heading +=
            fmt::format("<span class=\"ci\">{} {}</span>",
                        escaped(grid.options[layout.rest[i]].name), value_text(rest[i]));
      panel.map.label = grid.strategies[s].name + ": ";
      all.push_back(std::move(panel));
    }
  }
  return all;
}

/// One scale of colours for all panels.
std::string drawn_panels(std::vector<Panel> all, size_t strategies, const std::string& what,
                         bool signed_values) {
  double least = 1e9;
  double most = -1e9;
  for (const Panel& panel : all) {
    for (const auto& row : panel.map.cells) {
      for (const auto& cell : row) {
        if (!std::isfinite(cell.value)) continue;
        least = std::min(least, cell.value);
        most = std::max(most, signed_values ? std::abs(cell.value) : cell.value);
      }
    }
  }
  if (most < least && !signed_values) return "";
  std::string out;
  for (Panel& panel : all) {
    panel.map.least = least;
    panel.map.most = most;
    panel.map.signed_values = signed_values;
    panel.map.label += what;
    out += "<div>" + (panel.heading.empty() ? "" : "<h4>" + panel.heading + "</h4>") +
           "<div class=\"scroll\">" + grid_map(panel.map) + "</div></div>\n";
  }
  // So that panels of one point stand in one row.
  const char* rows = strategies % 2 == 0 ? " two" : "";
  return fmt::format("<figure class=\"panels{}\">{}</figure>", rows, out);
}

GridMap::Cell accuracy_cell(const Summary& summary, const GridArm& arm) {
  const Estimate e = estimate_share(final_values(*arm.arm, accuracy));
  if (!std::isfinite(e.mean)) return {};
  std::string tip = fmt::format("{}: {}", arm.arm->name, percent(e.mean));
  if (std::isfinite(e.low)) tip += fmt::format(" [{}, {}]", percent(e.low), percent(e.high));
  return {e.mean, fmt::format("{:.1f}", 100 * e.mean),
          tip + fmt::format(", {} seeds", arm.arm->trials.size()), arm.arm == summary.best};
}

const Comparison* comparison_of(const Summary& summary, const ArmView& arm) {
  const auto found = std::find_if(summary.comparisons.begin(), summary.comparisons.end(),
                                  [&](const Comparison& c) { return c.arm == &arm; });
  return found == summary.comparisons.end() ? nullptr : &*found;
}

GridMap::Cell difference_cell(const Summary& summary, const GridArm& arm) {
  const Comparison* c = comparison_of(summary, *arm.arm);
  if (c == nullptr || !std::isfinite(c->difference.mean)) return {};
  return {c->difference.mean, points(c->difference.mean),
          fmt::format("{} minus {}: {} points, {}", arm.arm->name, c->against->name,
                      points(c->difference.mean), c->finding()),
          c->shown() == Shown::other_groups};
}

/// Of the strategies that are compared with a control.
std::string difference_maps(const Summary& summary, const SweepGrid& grid) {
  if (summary.comparisons.empty()) return "";
  std::vector<Panel> all =
      panels(grid, [&](const GridArm& arm) { return difference_cell(summary, arm); });
  std::erase_if(all, [](const Panel& panel) {
    return std::all_of(panel.map.cells.begin(), panel.map.cells.end(), [](const auto& row) {
      return std::none_of(row.begin(), row.end(),
                          [](const auto& cell) { return std::isfinite(cell.value); });
    });
  });
  if (all.empty()) return "";
  const size_t shown = all.size() / std::max<size_t>(1, layout_of(grid).of_rest.size());
  return "<h3>Minus the control of the same point</h3><p class=\"note\">Percentage points of "
         "accuracy after the last round; green above, red below the control. An outlined cell is "
         "shown to differ, by both tests.</p>" +
         drawn_panels(std::move(all), shown, "accuracy minus the control's", true);
}

// The curves

std::vector<CurvePoint> points_of(const Summary& summary, const ArmView& arm) {
  std::vector<CurvePoint> out;
  for (const auto& [spent, y] : mean_curve(summary, arm))
    out.push_back({spent.mean, y.mean, y.low, y.high,
                   fmt::format("{}, {} {}: {}", arm.name, number(spent.mean, 0), summary.unit(),
                               percent(y.mean))});
  return out;
}

std::string family(const Summary& summary, const SweepGrid& grid, size_t strategy,
                   const std::vector<Curve>& all) {
  FamilyChart chart;
  chart.style = grid.strategies[strategy].style;
  chart.label =
      fmt::format("Accuracy of {} over {}", grid.strategies[strategy].name, summary.words().axis);
  chart.x_title = summary.words().axis;
  chart.y_title = "accuracy, %";
  chart.others = all;
  std::vector<std::pair<std::vector<double>, size_t>> order;
  for (size_t i = 0; i < grid.arms.size(); ++i) {
    if (grid.arms[i].strategy == strategy) order.emplace_back(grid.arms[i].point, i);
  }
  std::stable_sort(order.begin(), order.end());
  for (const auto& [point, i] : order) chart.family.push_back(all[i]);
  return family_chart(chart, kPanel_px);
}

// The table

std::vector<std::string> table_headings(const Summary& summary, const SweepGrid& grid) {
  std::vector<std::string> headings{"strategy"};
  for (const size_t i : grid.swept()) headings.push_back(escaped(grid.options[i].name));
  headings.insert(headings.end(), {"seeds", "accuracy", "area"});
  if (!summary.comparisons.empty())
    headings.insert(
        headings.end(),
        {"minus " + escaped(summary.twin()) + "<span class=\"unit\">points</span>", "p, Holm"});
  headings.insert(headings.end(), {escaped(summary.unit()), "wall time"});
  if (!summary.comparisons.empty()) headings.push_back("verdict");
  return headings;
}

/// Difference and p; both are unknown where the arm was compared with nobody.
std::vector<std::string> comparison_cells(const Comparison* c) {
  if (c == nullptr) return {measured(NAN, "–"), measured(NAN, "–")};
  return {
      measured(c->difference.mean, points(c->difference.mean) + interval_of_points(c->difference)),
      measured(c->p_holm, escaped(p_value(c->p_holm)))};
}

std::vector<std::string> arm_cells(const Summary& summary, const SweepGrid& grid,
                                   const GridArm& arm, double wall_s) {
  const Estimate e = estimate_share(final_values(*arm.arm, accuracy));
  const double area = estimate(areas(summary, *arm.arm)).mean;
  const double spent =
      estimate(final_values(*arm.arm, [&](const RoundResult& r) { return summary.spent(r); })).mean;
  std::vector<std::string> cells{strategy_key(grid.strategies[arm.strategy])};
  for (const size_t i : grid.swept())
    cells.push_back(measured(arm.point[i], value_text(arm.point[i])));
  const auto seeds = static_cast<double>(arm.arm->trials.size());
  cells.push_back(measured(seeds, number(seeds)));
  cells.push_back(measured(e.mean, with_interval(e)));
  cells.push_back(measured(area, percent(area)));
  const Comparison* c = comparison_of(summary, *arm.arm);
  const bool compares = !summary.comparisons.empty();
  if (compares) {
    const auto compared = comparison_cells(c);
    cells.insert(cells.end(), compared.begin(), compared.end());
  }
  cells.push_back(measured(spent, number(spent, 0)));
  cells.push_back(measured(wall_s, wall_time(wall_s)));
  if (compares) cells.push_back(c == nullptr ? "–" : finding(*c));
  return cells;
}

}  // namespace

std::optional<SweepGrid> many_arms(const Summary& summary) {
  if (auto grid = sweep_grid(summary)) return grid;
  if (summary.arms.size() <= kMostArmsApart) return std::nullopt;
  SweepGrid each;
  for (const ArmView& arm : summary.arms) {
    each.arms.push_back({&arm, each.strategies.size(), {}});
    each.strategies.push_back({arm.name, arm.style});
  }
  return each;
}

std::string front(const Summary& summary, const SweepGrid& grid) {
  const std::vector<Ranked> all = ranked(summary, grid);
  const std::string table = front_table(grid, all, summary);
  if (table.empty()) return "";
  return section("front", "What is worth its cost", front_charts(summary, grid, all) + table);
}

std::string maps(const Summary& summary, const SweepGrid& grid) {
  if (grid.swept().empty()) return "";
  const std::string body =
      drawn_panels(panels(grid, [&](const GridArm& arm) { return accuracy_cell(summary, arm); }),
                   grid.strategies.size(), "accuracy after the last round", false);
  if (body.empty()) return "";
  return section(
      "maps", "The grid",
      "<p class=\"note\">Accuracy after the last round in per cent, mean over seeds. All "
      "maps have one scale; the best arm is outlined.</p>" +
          body + difference_maps(summary, grid));
}

std::string families(const Summary& summary, const SweepGrid& grid) {
  if (summary.rounds < 2) return "";
  std::vector<Curve> all;
  for (const GridArm& arm : grid.arms)
    all.push_back({arm.arm->name, {}, points_of(summary, *arm.arm)});
  std::string out;
  for (size_t s = 0; s < grid.strategies.size(); ++s) {
    const std::string chart = family(summary, grid, s, all);
    if (!chart.empty())
      out += "<div><h4>" + strategy_key(grid.strategies[s]) + "</h4>" + chart + "</div>";
  }
  if (out.empty()) return "";
  std::string order;
  for (const size_t i : grid.swept())
    order += (order.empty() ? "" : ", then ") + escaped(grid.options[i].name);
  const std::string shades = order.empty() ? "" : "The darker, the larger " + order + ". ";
  return section("curves", "Curves by strategy",
                 "<figure class=\"panels\">" + out +
                     "</figure><p class=\"note\">Mean over seeds. " + shades +
                     "Grey: every other arm, for comparison.</p>");
}

std::string all_arms(const Summary& summary, const SweepGrid& grid) {
  std::vector<const GridArm*> order;
  for (const GridArm& arm : grid.arms) {
    if (arm.arm->ran()) order.push_back(&arm);
  }
  const auto rank = [](const GridArm* arm) {
    const double value = final_accuracy(*arm->arm);
    return std::isfinite(value) ? value : -1;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const GridArm* a, const GridArm* b) { return rank(a) > rank(b); });
  Table table("Every arm after its last round, mean and 95 % interval over seeds",
              table_headings(summary, grid));
  table.sortable();
  for (const GridArm* arm : order) {
    table.row(arm_cells(summary, grid, *arm, whole_wall_s(summary, *arm->arm)),
              arm->arm == summary.best ? "strong" : "");
  }
  if (table.empty()) return "";
  return section("arms", fmt::format("All {} arms", order.size()),
                 table.html() +
                     "<p class=\"note\">Area: mean accuracy over the budget. A heading sorts the "
                     "table, where scripts may run. p: paired t-test over seeds, after Holm's "
                     "correction for all comparisons.</p>");
}

}  // namespace distal::sections
