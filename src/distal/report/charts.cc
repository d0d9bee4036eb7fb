#include "distal/report/charts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "distal/report/chart_parts.h"
#include "distal/report/html.h"

namespace distal {
namespace {

std::vector<CurvePoint> finite(const std::vector<CurvePoint>& points) {
  std::vector<CurvePoint> out;
  for (const auto& p : points) {
    if (std::isfinite(p.x) && std::isfinite(p.y)) out.push_back(p);
  }
  return out;
}

std::string band(const std::vector<CurvePoint>& points, const Scale& x, const Scale& y) {
  std::string upper, lower;
  int64_t known = 0;
  for (const auto& p : points) {
    if (!std::isfinite(p.low) || !std::isfinite(p.high)) continue;
    const auto clip = [&](double value) { return svg::px(y(std::clamp(value, y.low, y.high))); };
    upper += (known++ ? "L" : "M") + svg::px(x(p.x)) + " " + clip(p.high);
    lower = "L" + svg::px(x(p.x)) + " " + clip(p.low) + lower;
  }
  return known < 2 ? "" : "<path class=\"band\" d=\"" + upper + lower + "Z\"/>";
}

std::string whiskers(const std::vector<CurvePoint>& points, const Scale& x, const Scale& y,
                     double aside_px) {
  std::string out;
  for (const auto& p : points) {
    if (!std::isfinite(p.low) || !std::isfinite(p.high)) continue;
    out += svg::line(x(p.x) + aside_px, y(std::max(p.low, y.low)), x(p.x) + aside_px,
                     y(std::min(p.high, y.high)), "whisker");
  }
  return out;
}

/// Band and whiskers; `aside_px` keeps the intervals of several arms at one budget apart.
std::string draw_interval(const Curve& curve, const Scale& x, const Scale& y, double aside_px) {
  const auto points = finite(curve.points);
  return fmt::format("<g class=\"series {}\">", curve.style.name()) + band(points, x, y) +
         whiskers(points, x, y, aside_px) + "</g>\n";
}

std::string draw(const Curve& curve, const Scale& x, const Scale& y) {
  const auto points = finite(curve.points);
  std::string path, marks;
  for (const auto& p : points) {
    path += (path.empty() ? "M" : "L") + svg::px(x(p.x)) + " " + svg::px(y(p.y));
    marks += svg::marker(curve.style, x(p.x), y(p.y), 3.8, p.tip);
  }
  if (points.size() > 1) marks = "<path class=\"curve\" d=\"" + path + "\"/>" + marks;
  return fmt::format("<g class=\"series {}\">", curve.style.name()) + marks + "</g>\n";
}

/// Heights of labels, pushed apart to `gap`, inside [top, bottom] where they fit.
void push_apart(std::vector<double>& heights, double gap, double top, double bottom) {
  std::vector<size_t> order(heights.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return heights[a] < heights[b]; });
  for (size_t i = 0; i < order.size(); ++i) {
    const double least = i == 0 ? top : heights[order[i - 1]] + gap;
    heights[order[i]] = std::max(heights[order[i]], least);
  }
  for (size_t i = order.size(); i-- > 0;) {
    const double most = i + 1 == order.size() ? bottom : heights[order[i + 1]] - gap;
    heights[order[i]] = std::min(heights[order[i]], most);
  }
}

std::string end_labels(const std::vector<Curve>& curves, const Scale& x, const Scale& y) {
  std::vector<double> wanted;
  std::vector<const Curve*> shown;
  std::vector<CurvePoint> ends;
  for (const auto& curve : curves) {
    if (const auto points = finite(curve.points); !points.empty()) {
      shown.push_back(&curve);
      ends.push_back(points.back());
      wanted.push_back(y(points.back().y));
    }
  }
  auto heights = wanted;
  push_apart(heights, 17, y.to_px + 4, y.from_px - 2);
  std::string out;
  for (size_t i = 0; i < shown.size(); ++i) {
    const double from = x(ends[i].x) + 7;
    const double to = x.to_px + 12;
    out += fmt::format("<g class=\"series {}\"><path class=\"lead\" d=\"M{} {}L{} {}\"/>",
                       shown[i]->style.name(), svg::px(from), svg::px(wanted[i]), svg::px(to),
                       svg::px(heights[i]));
    out +=
        svg::text(to + 4, heights[i] + 4, shortened(shown[i]->name, 22), "start", "name") + "</g>";
  }
  return out;
}

}  // namespace

std::string curve_chart(const CurveChart& chart, double width_px) {
  Extent along, up;
  size_t names = 0;
  for (const auto& curve : chart.curves) {
    names = std::max(names, curve.name.size());
    for (const auto& p : finite(curve.points)) {
      along.add(p.x);
      for (const double value : {p.y, p.low, p.high}) up.add(std::clamp(value, 0.0, 1.0));
    }
  }
  if (along.empty()) return "";
  up.add(chart.reference);
  const bool beside = width_px >= 600;
  const double right =
      beside ? std::clamp(30 + 7.2 * static_cast<double>(std::min<size_t>(names, 22)), 60.0, 190.0)
             : 14;
  const double height = std::max(beside ? 400.0 : 300.0,
                                 beside ? 17.0 * static_cast<double>(chart.curves.size()) + 90 : 0);
  const double margin = (along.high - along.low) * 0.02;
  const Scale x =
      exact_scale(along.low - margin, along.high + margin, beside ? 8 : 4, 44, width_px - right);
  const Scale y = nice_scale(up.low, up.high, 6, height - 52, 30);
  std::string body = axes(x, y, chart.x_title, chart.y_title);
  if (std::isfinite(chart.reference)) {
    body +=
        "<g class=\"axes\">" +
        svg::line(x.from_px, y(chart.reference), x.to_px, y(chart.reference), "ideal") +
        svg::text(x.from_px + 6, y(chart.reference) + 4, chart.reference_name, "start", "halo") +
        "</g>";
  }
  const auto arms = static_cast<double>(chart.curves.size());
  for (size_t i = 0; i < chart.curves.size(); ++i)
    body += draw_interval(chart.curves[i], x, y,
                          (static_cast<double>(i) - (arms - 1) / 2) * std::min(4.0, 30 / arms));
  for (const bool control : {true, false}) {  // the control beneath the others
    for (const auto& curve : chart.curves) {
      if (curve.style.control == control) body += draw(curve, x, y);
    }
  }
  return svg::frame(width_px, height, chart.label,
                    body + (beside ? end_labels(chart.curves, x, y) : ""));
}

std::string dot_chart(const DotChart& chart, double width_px) {
  Extent extent;
  size_t names = 0;
  for (const auto& row : chart.rows) {
    for (const double value : {row.value, row.low, row.high, row.wide_low, row.wide_high})
      extent.add(value);
    for (const double seed : row.seeds) extent.add(seed);
    names = std::max(names, row.name.size());
  }
  if (extent.empty()) return "";
  if (chart.zero_line) extent.add(0);
  const bool beside = width_px >= 600;
  const double left =
      beside ? std::clamp(20 + 7.4 * static_cast<double>(std::min<size_t>(names, 24)), 70.0, 200.0)
             : 6;
  const double row_px = beside ? 34 : 52;
  const double height = 14 + row_px * static_cast<double>(chart.rows.size()) + 48;
  const Scale x =
      nice_scale(extent.low, extent.high, beside ? 7 : 4, left + 8, width_px - (beside ? 190 : 12));
  const double bottom = height - 48;
  const int decimals = tick_decimals(x, 100);
  std::string body = "<g class=\"axes\">";
  for (const double tick : x.ticks) {
    body += svg::line(x(tick), 6, x(tick), bottom,
                      chart.zero_line && std::abs(tick) < 1e-12 ? "zero" : "grid");
    body += svg::text(x(tick), bottom + 18, share_tick(tick, decimals, chart.zero_line), "middle");
  }
  body += svg::text((x.from_px + x.to_px) / 2, bottom + 40, chart.x_title, "middle", "title") +
          "</g>\n";
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    const double top = 14 + row_px * static_cast<double>(i);
    const double y = top + (beside ? row_px / 2 : 34);
    body += fmt::format("<g class=\"series {}\">", row.style.name());
    body += beside ? svg::text(left - 4, y + 4, shortened(row.name, 24), "end", "name")
                   : svg::text(x.from_px, top + 16, shortened(row.name, 24), "start", "name");
    body += beside ? svg::text(width_px, y + 4, row.text, "end", "value")
                   : svg::text(width_px - 4, top + 16, row.text, "end", "value");
    if (std::isfinite(row.low) && std::isfinite(row.high))
      body += svg::line(x(row.low), y, x(row.high), y, "whisker broad");
    if (std::isfinite(row.wide_low) && std::isfinite(row.wide_high))
      body += svg::line(x(row.wide_low), y, x(row.wide_high), y, "whisker");
    for (const double seed : row.seeds) {
      if (std::isfinite(seed))
        body += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"2.6\" class=\"seed\"/>",
                            svg::px(x(seed)), svg::px(y + (beside ? 9 : 8)));
    }
    if (std::isfinite(row.value)) body += svg::marker(row.style, x(row.value), y, 5, row.tip);
    body += "</g>\n";
  }
  return svg::frame(width_px, height, chart.label, body);
}

std::string heat_map(const std::vector<std::vector<int64_t>>& counts,
                     const std::vector<std::string>& classes, const SeriesStyle& style,
                     const std::string& label, double width_px) {
  const size_t k = counts.size();
  if (k == 0) return "";
  size_t longest = 4;
  const auto name = [&](size_t i) {
    return i < classes.size() ? classes[i] : fmt::format("class {}", i);
  };
  for (size_t i = 0; i < k; ++i) longest = std::max(longest, std::min<size_t>(name(i).size(), 16));
  const double left = 26 + 6.6 * static_cast<double>(longest);
  const double foot = 16 + 5.2 * static_cast<double>(longest);
  const double side = std::clamp((width_px - left - 4) / static_cast<double>(k), 9.0, 46.0);
  const double extent = side * static_cast<double>(k);
  const bool written = side >= 26;
  std::string body = fmt::format("<g class=\"heat {}\">", style.name());
  for (size_t i = 0; i < k; ++i) {
    int64_t total = 0;
    for (const auto count : counts[i]) total += count;
    const double y = 22 + side * static_cast<double>(i);
    body += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" style=\"font-size:{}px\">{}</text>",
        svg::px(left - 6), svg::px(y + side / 2 + 4), side < 12 ? 8 : 12,
        escaped(shortened(name(i), 16)));
    for (size_t j = 0; j < counts[i].size() && j < k; ++j) {
      const int64_t count = counts[i][j];
      const double share = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
      const double x = left + side * static_cast<double>(j);
      body += fmt::format("<g class=\"hit\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" "
                          "height=\"{}\" class=\"{}\" style=\"fill-opacity:{:.3f}\"/>",
                          escaped(fmt::format("truth {}, predicted {}: {} of {} ({})", name(i),
                                              name(j), number(static_cast<double>(count)),
                                              number(static_cast<double>(total)),
                                              percent(total > 0 ? share : NAN))),
                          svg::px(x), svg::px(y), svg::px(side - 1.5), svg::px(side - 1.5),
                          i == j ? "cell hitting" : "cell", 0.05 + 0.95 * share);
      if (written && count > 0)
        body += svg::text(x + side / 2 - 0.75, y + side / 2 + 4, number(static_cast<double>(count)),
                          "middle", std::string("count ") + shade_depth(0.05 + 0.95 * share));
      body += "</g>";
    }
    const double x = left + side * (static_cast<double>(i) + 0.5) + 3;
    body += fmt::format("<text transform=\"translate({} {}) rotate(-50)\" text-anchor=\"end\" "
                        "style=\"font-size:{}px\">{}</text>\n",
                        svg::px(x), svg::px(22 + extent + 10), side < 12 ? 8 : 12,
                        escaped(shortened(name(i), 16)));
  }
  body += svg::text(left, 12, "rows: truth · columns: predicted", "start", "title") + "</g>";
  return svg::frame(std::max(width_px, left + extent + 4), 22 + extent + foot, label, body);
}

std::string reliability_chart(const std::vector<ReliabilityBin>& bins, const SeriesStyle& style,
                              const std::string& label, double width_px) {
  double total = 0;
  double most = 0;
  for (const auto& bin : bins) {
    total += bin.clips;
    most = std::max(most, bin.clips);
  }
  if (!(total > 0)) return "";
  const double side = width_px - 56;
  const double floor = 26 + side;
  const double height = floor + 96;
  const Scale x = exact_scale(0, 100, 4, 44, 44 + side);
  const Scale y = exact_scale(0, 1, 4, floor, 26);
  std::string body = axes(x, y, "", "accuracy, %") + svg::line(x(0), y(0), x(100), y(1), "ideal") +
                     fmt::format("<g class=\"series {}\">", style.name());
  std::string path, marks, shares;
  for (size_t i = 0; i < bins.size(); ++i) {
    const auto& bin = bins[i];
    if (!(bin.clips > 0) || !std::isfinite(bin.confidence) || !std::isfinite(bin.accuracy))
      continue;
    const double left = x(100.0 * static_cast<double>(i) / static_cast<double>(bins.size()));
    const double wide = side / static_cast<double>(bins.size()) - 2;
    const double tall = 40 * bin.clips / most;
    const std::string tip =
        fmt::format("{} clips: confidence {}, accuracy {}", number(bin.clips, 0),
                    percent(bin.confidence), percent(bin.accuracy));
    path += (path.empty() ? "M" : "L") + svg::px(x(100 * bin.confidence)) + " " +
            svg::px(y(bin.accuracy));
    body += svg::line(x(100 * bin.confidence), y(bin.accuracy), x(100 * bin.confidence),
                      y(bin.confidence), "gap");
    marks += svg::marker(style, x(100 * bin.confidence), y(bin.accuracy), 4, tip);
    shares +=
        fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"share\"/>",
                    svg::px(left + 1), svg::px(floor + 72 - tall), svg::px(wide), svg::px(tall));
  }
  body += "<path class=\"curve\" d=\"" + path + "\"/>" + marks + shares + "</g>";
  body += "<g class=\"axes\">" +
          svg::text(44 + side / 2, floor + 90, "confidence, % · bars: share of clips", "middle",
                    "title") +
          "</g>";
  return svg::frame(width_px, height, label, body);
}

}  // namespace distal
