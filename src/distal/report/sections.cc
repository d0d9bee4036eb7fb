#include "distal/report/sections.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "distal/report/charts.h"
#include "distal/report/html.h"
#include "distal/report/limits.h"

namespace distal::sections {
namespace {

constexpr double kWide = 940;
constexpr double kNarrow = 350;

template <class Draw>
std::string figure(const Draw& draw, const std::string& caption, const std::string& more = "") {
  const std::string wide = draw(kWide);
  if (wide.empty()) return "";
  return "<figure class=\"arms\"><div class=\"wide\">" + wide + "</div><div class=\"narrow\">" +
         draw(kNarrow) + more + "</div>" +
         (caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>") + "</figure>\n";
}

std::string legend(const Summary& summary) {
  std::string out = "<ul class=\"legend\" aria-label=\"Arms\">";
  for (const auto& arm : summary.arms) out += "<li>" + key(arm) + "</li>";
  return out + "</ul>";
}

std::string seeds_words(int64_t seeds) {
  return seeds == 1 ? "1 seed" : fmt::format("{} seeds", seeds);
}

int64_t most_seeds(const Summary& summary) {
  size_t most = 0;
  for (const auto& arm : summary.arms) most = std::max(most, arm.trials.size());
  return static_cast<int64_t>(most);
}

std::string interval_words(const Summary& summary) {
  const int64_t seeds = most_seeds(summary);
  return seeds < 2 ? "One seed: there is no interval, and no difference can be called real."
                   : fmt::format("Mean of up to {} with 95 % intervals (Student's t over seeds, "
                                 "cut off at 0 and 100 %).",
                                 seeds_words(seeds));
}

std::vector<CurvePoint> curve_points(const Summary& summary, const ArmView& arm) {
  std::vector<CurvePoint> points;
  for (const auto& [spent, y] : mean_curve(summary, arm)) {
    std::string tip = fmt::format("{}, {} {}: {}", arm.name, number(spent.mean, 0), summary.unit(),
                                  percent(y.mean));
    if (std::isfinite(y.low)) tip += fmt::format(" [{}, {}]", percent(y.low), percent(y.high));
    points.push_back({spent.mean, y.mean, y.low, y.high, tip + ", " + seeds_words(y.seeds)});
  }
  return points;
}

std::string curve_table(const Summary& summary, const std::vector<Curve>& curves) {
  Table table("Accuracy at each round, mean and 95 % interval over seeds",
              {"arm", "round", summary.unit(), "accuracy"});
  for (size_t a = 0; a < curves.size(); ++a) {
    for (size_t r = 0; r < curves[a].points.size(); ++r) {
      const auto& p = curves[a].points[r];
      table.row({key(summary.arms[a]), std::to_string(r), number(p.x, 1),
                 with_interval({p.y, p.low, p.high, 0})});
    }
  }
  return "<details><summary>The numbers behind the curves</summary>" + table.html() + "</details>";
}

std::string tests(const Summary& summary) {
  if (summary.comparisons.empty()) return "";
  const bool twins = summary.twin() != summary.control->name;
  const bool taught = std::any_of(summary.comparisons.begin(), summary.comparisons.end(),
                                  [](const Comparison& c) { return c.one_teacher; });
  Table table("Final accuracy against " + summary.twin() +
                  ": paired t-test over seeds, p after Holm's correction; interval of seeds and "
                  "test groups resampled together",
              {twins ? "arm − twin" : "arm", "pairs",
               "difference, points<span class=\"unit\">over seeds</span>", "p", "p, Holm",
               "interval<span class=\"unit\">seeds and groups</span>", "groups", "verdict"});
  DotChart chart{"Paired differences of final accuracy against " + summary.twin(),
                 "accuracy minus that of " + summary.twin() + ", percentage points",
                 {},
                 true};
  for (const auto& c : summary.comparisons) {
    const Estimate both = over_groups(c);
    const std::string interval = interval_of_points(both);
    table.row({key(*c.arm) + (twins ? " − " + escaped(c.against->name) : ""),
               std::to_string(c.differences.size()),
               points(c.difference.mean) + interval_of_points(c.difference), escaped(p_value(c.p)),
               escaped(p_value(c.p_holm)), interval.empty() ? "–" : interval,
               c.crossed ? std::to_string(c.crossed->groups) : "–", finding(c)});
    chart.rows.push_back(dot_row(*c.arm, c.differences, "difference", true));
    chart.rows.back().wide_low = both.low;
    chart.rows.back().wide_high = both.high;
  }
  return "<h3>Differences from " + escaped(summary.twin()) + "</h3>" +
         dots(chart, "Each small dot is one seed: both arms began with the same clips and the same "
                     "weights. Broad bars are 95 % intervals over seeds (Student's t), which "
                     "speak of this test set; thin lines are 95 % intervals of seeds and test "
                     "groups resampled together. Better or worse is said only where "
                     "neither reaches zero, the first after Holm's correction." +
                         std::string(
                             taught ? " One teacher taught all seeds: another may change every row."
                                    : "")) +
         table.html();
}

/// Escaped, with true minus signs and per cent signs that stay on their line.
std::string typeset(const std::string& sentence) {
  std::string out = escaped(sentence);
  for (size_t at = 0; (at = out.find(" %", at)) != std::string::npos; ++at)
    out.replace(at, 1, "\u00A0");
  for (size_t at = 0; (at = out.find(" -", at)) != std::string::npos; ++at) {
    if (at + 2 < out.size() && std::isdigit(static_cast<unsigned char>(out[at + 2])))
      out.replace(at + 1, 1, "−");
  }
  return out;
}

std::string fact(const std::string& name, const std::string& value, const std::string& more) {
  return "<div><dt>" + escaped(name) + "</dt><dd>" + value + "<small>" + more +
         "</small></dd></div>";
}

std::string p_words(const Comparison& c) {
  if (!std::isfinite(c.p_holm)) return "too few pairs to test";
  return fmt::format("{}, {}{} over seeds after Holm{}", c.finding(),
                     c.p_holm < 0.001 ? "p " : "p = ", p_value(c.p_holm),
                     c.one_teacher ? ", with this one teacher" : "");
}

std::string facts(const Summary& summary) {
  std::string out;
  if (!summary.best) return out;
  const Estimate best = estimate_share(final_values(*summary.best, accuracy));
  const double spent = estimate(final_values(*summary.best, [&](const RoundResult& r) {
                         return summary.spent(r);
                       })).mean;
  out += fact("Best arm", escaped(summary.best->name),
              fmt::format("after {} {}", number(spent, 0), summary.unit()));
  std::string interval;
  if (std::isfinite(best.low))
    interval =
        fmt::format("95\u00A0% interval {:.1f} to {:.1f}, ", best.low * 100, best.high * 100);
  out += fact("Its final accuracy", percent(best.mean), interval + seeds_words(best.seeds));
  for (const auto& c : summary.comparisons) {
    if (c.arm == summary.best)
      out += fact("Against " + c.against->name, points(c.difference.mean) + " points",
                  escaped(p_words(c)));
  }
  if (summary.results->teacher_accuracy >= 0)
    out += fact("Teacher", percent(summary.results->teacher_accuracy), "on the same test clips");
  return "<dl class=\"facts\">" + out + "</dl>\n";
}

std::string limits_part(const Summary& summary) {
  std::string items;
  for (const Limit& limit : limits(summary))
    items += "<li>" + typeset(limit.says) + " <span class=\"cure\">" + typeset(limit.cure) +
             "</span></li>";
  for (const auto& note : summary.results->notes) items += "<li>" + escaped(note) + "</li>";
  if (items.empty()) return "";
  return "<div class=\"notes\" role=\"note\" id=\"limits\"><strong>What limits these "
         "results</strong><ul>" +
         items + "</ul></div>\n";
}

bool in_final_table(const RoundField& row) {
  return row.kind == RoundField::Kind::measure && *row.heading != '\0';
}

std::string final_value(const ArmView& arm, const RoundField& row) {
  const auto values = final_values(arm, [&](const RoundResult& r) { return row.value(r); });
  if (row.format == RoundField::Format::number) return number(estimate(values).mean, 3);
  const Estimate share = estimate_share(values);
  return row.format == RoundField::Format::share ? percent(share.mean) : with_interval(share);
}

}  // namespace

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  return body.empty()
             ? ""
             : fmt::format(
                   "<section id=\"{0}\" aria-labelledby=\"{0}-h\"><h2 id=\"{0}-h\">{1}</h2>\n", id,
                   escaped(title)) +
                   body + "</section>\n";
}

std::string key(const ArmView& arm) {
  return "<svg class=\"key " + arm.style.name() + "\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">" +
         svg::marker(arm.style, 6, 6, 4) + "</svg>" + escaped(arm.name);
}

std::string with_interval(const Estimate& value) {
  if (!std::isfinite(value.low) || !std::isfinite(value.high)) return percent(value.mean);
  return percent(value.mean) + fmt::format("<span class=\"ci\">[{:.1f}, {:.1f}]</span>",
                                           value.low * 100, value.high * 100);
}

DotRow dot_row(const ArmView& arm, const std::vector<double>& values, const std::string& what,
               bool difference) {
  const Estimate e = difference ? estimate(values) : estimate_share(values);
  const auto end = [&](double v) {
    return difference ? points(v) : fmt::format("{:.1f}", v * 100);
  };
  std::string text = difference ? points(e.mean) : percent(e.mean);
  if (std::isfinite(e.low)) text += fmt::format(" [{}, {}]", end(e.low), end(e.high));
  return {arm.name, arm.style,
          e.mean,   e.low,
          e.high,   e.seeds > 1 ? values : std::vector<double>{},
          text,     fmt::format("{}: {} {}, {}", arm.name, what, text, seeds_words(e.seeds))};
}

std::string dots(DotChart chart, const std::string& caption) {
  if (chart.rows.size() == 1 && !std::isfinite(chart.rows[0].low)) return "";
  std::stable_sort(chart.rows.begin(), chart.rows.end(), [](const DotRow& a, const DotRow& b) {
    return (std::isfinite(a.value) ? a.value : -1e9) > (std::isfinite(b.value) ? b.value : -1e9);
  });
  return figure([&](double width) { return dot_chart(chart, width); }, caption);
}

std::string interval_of_points(const Estimate& e) {
  return std::isfinite(e.low)
             ? fmt::format("<span class=\"ci\">[{}, {}]</span>", points(e.low), points(e.high))
             : "";
}

std::string finding(const Comparison& c) {
  const std::string words = c.finding();
  return c.shown() == Shown::other_groups ? "<span class=\"" + words + "\">" + words + "</span>"
                                          : words;
}

Estimate over_groups(const Comparison& c) {
  if (!c.crossed) return {};
  return {c.crossed->difference, c.crossed->interval.low, c.crossed->interval.high,
          c.crossed->seeds};
}

std::string heading(const Summary& summary) {
  const Results& results = *summary.results;
  std::string out = "<p class=\"over\">" +
                    escaped(results.name.empty() ? "Experiment" : results.name) +
                    (results.date.empty() ? "" : " · " + escaped(results.date)) + "</p>\n";
  out += "<h1>" +
         escaped(results.question.empty() ? "What did the experiment find?" : results.question) +
         "</h1>\n<div class=\"answer\">";
  for (const auto& sentence : answer(summary)) out += "<p>" + typeset(sentence) + "</p>";
  out += "</div>\n" + facts(summary);
  return out + limits_part(summary);
}

std::string curves(const Summary& summary) {
  if (summary.rounds < 2) return "";
  CurveChart chart;
  chart.label = "Accuracy on the test clips against " + summary.unit() + ". ";
  chart.x_title = summary.words().axis;
  chart.y_title = "accuracy, %";
  if (const double teacher = summary.results->teacher_accuracy; teacher >= 0) {
    chart.reference = teacher;
    chart.reference_name = "teacher " + percent(teacher);
    chart.label += chart.reference_name + ". ";
  }
  for (const auto& arm : summary.arms) {
    chart.curves.push_back({arm.name, arm.style, curve_points(summary, arm)});
    const auto& points = chart.curves.back().points;
    if (!points.empty())
      chart.label += fmt::format("{} from {} to {}. ", arm.name, percent(points.front().y),
                                 percent(points.back().y));
  }
  const std::string drawn = figure([&](double width) { return curve_chart(chart, width); },
                                   interval_words(summary), legend(summary));
  if (drawn.empty()) return "";
  return section("curves", summary.words().title, drawn + curve_table(summary, chart.curves));
}

std::string finals(const Summary& summary) {
  DotChart chart{"Accuracy of the final round by arm", "accuracy, %", {}, false};
  for (const auto& arm : summary.arms) {
    if (arm.ran())
      chart.rows.push_back(dot_row(arm, final_values(arm, accuracy), "final accuracy", false));
  }
  std::string body = dots(chart, interval_words(summary) + " Small dots are seeds.");
  std::vector<std::string> headings{"arm", "seeds"};
  for (const RoundField& row : kRoundFields) {
    if (in_final_table(row)) headings.push_back(row.heading);
  }
  Table table("Final round on the test clips, mean and 95 % interval over seeds", headings);
  for (const auto& arm : summary.arms) {
    if (!arm.ran()) continue;
    std::vector<std::string> cells{key(arm), std::to_string(arm.trials.size())};
    for (const RoundField& row : kRoundFields) {
      if (in_final_table(row)) cells.push_back(final_value(arm, row));
    }
    table.row(cells, &arm == summary.best ? "strong" : "");
  }
  if (!table.empty()) body += table.html();
  return section("final", "The final round", body.empty() ? "" : body + tests(summary));
}

}  // namespace distal::sections
