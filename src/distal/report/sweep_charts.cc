#include "distal/report/sweep_charts.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "distal/report/chart_parts.h"
#include "distal/report/html.h"

namespace distal {
namespace {

bool finite_point(double x, double y) { return std::isfinite(x) && std::isfinite(y); }

/// The points with a number, cheapest first.
std::vector<const ScatterPoint*> front_of(const std::vector<ScatterPoint>& points) {
  std::vector<const ScatterPoint*> front;
  for (const ScatterPoint& point : points) {
    if (point.number > 0 && finite_point(point.x, point.y)) front.push_back(&point);
  }
  std::stable_sort(front.begin(), front.end(),
                   [](const auto* a, const auto* b) { return a->x < b->x; });
  return front;
}

std::string front_steps(const std::vector<const ScatterPoint*>& front, const Scale& x,
                        const Scale& y) {
  std::string path;
  double best = -1;
  for (const ScatterPoint* point : front) {
    if (point->y <= best) continue;
    best = point->y;
    path += path.empty() ? "M" + svg::px(x(point->x)) + " " + svg::px(y(point->y))
                         : "H" + svg::px(x(point->x)) + "V" + svg::px(y(point->y));
  }
  if (path.empty()) return "";
  return "<path class=\"front\" d=\"" + path + "H" + svg::px(x.to_px) + "\"/>";
}

std::string small_dot(const ScatterPoint& point, const Scale& x, const Scale& y) {
  return fmt::format("<g class=\"series {} hit\"><title>{}</title><circle cx=\"{}\" cy=\"{}\" "
                     "r=\"2.8\" class=\"dot\"/></g>",
                     point.style.name(), escaped(point.tip), svg::px(x(point.x)),
                     svg::px(y(point.y)));
}

/// Numbers of points that lie close together stand above and below in turn.
std::string front_marks(const std::vector<const ScatterPoint*>& front, const Scale& x,
                        const Scale& y) {
  std::string marks;
  std::string numbers;
  double last = -1e9;
  bool below = false;
  for (const ScatterPoint* point : front) {
    const double at = x(point->x);
    below = at - last < 16 && !below;
    last = at;
    marks += fmt::format("<g class=\"series {}\">", point->style.name()) +
             svg::marker(point->style, at, y(point->y), 4.6, point->tip) + "</g>\n";
    numbers += svg::text(at, y(point->y) + (below ? 18 : -9), fmt::format("{}", point->number),
                         "middle", "rank");
  }
  return marks + numbers;
}

double shade_of(const GridMap& map, double value) {
  const double from = map.signed_values ? 0 : map.least;
  const double size = map.signed_values ? std::abs(value) : value;
  return map.most > from     ? std::clamp((size - from) / (map.most - from), 0.0, 1.0)
         : map.signed_values ? 0
                             : 0.5;
}

std::string map_cell(const GridMap& map, const GridMap::Cell& cell, double x, double y, double wide,
                     double tall) {
  if (!std::isfinite(cell.value))
    return svg::text(x + wide / 2, y + tall / 2 + 4, "–", "middle", "absent");
  const double opacity = 0.06 + 0.94 * shade_of(map, cell.value);
  const std::string sign = !map.signed_values || cell.value == 0 ? ""
                           : cell.value < 0                      ? " down"
                                                                 : " up";
  return fmt::format("<g class=\"hit\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" "
                     "height=\"{}\" rx=\"2\" class=\"cell{}{}\" style=\"fill-opacity:{:.3f}\"/>",
                     escaped(cell.tip), svg::px(x), svg::px(y), svg::px(wide - 2),
                     svg::px(tall - 2), sign, cell.outlined ? " outlined" : "", opacity) +
         svg::text(x + wide / 2 - 1, y + tall / 2 + 3.5, cell.text, "middle",
                   std::string("count ") + shade_depth(opacity)) +
         "</g>";
}

double widest(const std::vector<std::string>& texts, double least) {
  size_t longest = 0;
  for (const std::string& text : texts) longest = std::max(longest, text.size());
  return std::max(least, 7.4 * static_cast<double>(std::min<size_t>(longest, 22)));
}

std::string path_of(const Curve& curve, const Scale& x, const Scale& y) {
  std::string path;
  for (const CurvePoint& p : curve.points) {
    if (finite_point(p.x, p.y))
      path += (path.empty() ? "M" : "L") + svg::px(x(p.x)) + " " + svg::px(y(p.y));
  }
  return path;
}

constexpr size_t kMostWithDots = 12;

std::string family_member(const Curve& curve, double depth, bool dots, const Scale& x,
                          const Scale& y) {
  std::string marks;
  for (const CurvePoint& p : curve.points) {
    if (dots && finite_point(p.x, p.y))
      marks +=
          fmt::format("<g class=\"hit\"><title>{}</title><circle cx=\"{}\" cy=\"{}\" r=\"2.4\" "
                      "class=\"dot\"/></g>",
                      escaped(p.tip), svg::px(x(p.x)), svg::px(y(p.y)));
  }
  return fmt::format("<g style=\"opacity:{:.2f}\"><g class=\"hit\"><title>{}</title>"
                     "<path class=\"member{}\" d=\"{}\"/></g>{}</g>\n",
                     depth, escaped(curve.name), dots ? "" : " thin", path_of(curve, x, y), marks);
}

}  // namespace

std::string scatter_chart(const ScatterChart& chart, double width_px) {
  Extent along;
  Extent up;
  for (const ScatterPoint& point : chart.points) {
    if (!finite_point(point.x, point.y)) continue;
    along.add(point.x);
    up.add(point.y);
  }
  if (along.empty()) return "";
  const double height = width_px >= 600 ? 380 : 300;
  const double margin = (along.high - along.low) * 0.03;
  const Scale x = exact_scale(along.low - margin, along.high + margin, width_px >= 600 ? 8 : 4, 44,
                              width_px - 8);
  const Scale y = nice_scale(up.low, up.high, 6, height - 52, 30);
  const auto front = front_of(chart.points);
  std::string body = axes(x, y, chart.x_title, chart.y_title);
  for (const ScatterPoint& point : chart.points) {
    if (point.number == 0 && finite_point(point.x, point.y)) body += small_dot(point, x, y);
  }
  body += front_steps(front, x, y) + front_marks(front, x, y);
  return svg::frame(width_px, height, chart.label, body);
}

std::string grid_map(const GridMap& map) {
  if (map.rows.empty() || map.columns.empty()) return "";
  constexpr double kTall = 28;
  const double wide = widest(map.columns, 52);
  const double left =
      std::max(widest(map.rows, 12), 6.4 * static_cast<double>(map.down.size())) + 10;
  std::string body = "<g class=\"heat s0\">";
  body += svg::text(left, 12, map.across, "start", "title");
  body += svg::text(0, 32, map.down, "start", "title");
  for (size_t c = 0; c < map.columns.size(); ++c)
    body += svg::text(left + wide * (static_cast<double>(c) + 0.5), 32, map.columns[c], "middle");
  for (size_t r = 0; r < map.rows.size(); ++r) {
    const double y = 40 + kTall * static_cast<double>(r);
    body += svg::text(left - 8, y + kTall / 2 + 3.5, shortened(map.rows[r], 22), "end");
    for (size_t c = 0; c < map.cells[r].size(); ++c)
      body += map_cell(map, map.cells[r][c], left + wide * static_cast<double>(c), y, wide, kTall);
  }
  return svg::frame(left + wide * static_cast<double>(map.columns.size()),
                    42 + kTall * static_cast<double>(map.rows.size()), map.label, body + "</g>");
}

std::string family_chart(const FamilyChart& chart, double width_px) {
  Extent along;
  Extent up;
  for (const auto* curves : {&chart.family, &chart.others}) {
    for (const Curve& curve : *curves) {
      for (const CurvePoint& p : curve.points) {
        if (!finite_point(p.x, p.y)) continue;
        along.add(p.x);
        up.add(p.y);
      }
    }
  }
  if (along.empty()) return "";
  const double height = 0.72 * width_px;
  const double margin = (along.high - along.low) * 0.03;
  const Scale x = exact_scale(along.low - margin, along.high + margin, 4, 40, width_px - 6);
  const Scale y = nice_scale(up.low, up.high, 5, height - 46, 26);
  std::string body = axes(x, y, chart.x_title, chart.y_title);
  std::string behind;
  for (const Curve& curve : chart.others) behind += path_of(curve, x, y);
  body += "<path class=\"behind\" d=\"" + behind + "\"/>";
  body += fmt::format("<g class=\"{}\">", chart.style.name());
  const auto count = static_cast<double>(chart.family.size());
  for (size_t i = 0; i < chart.family.size(); ++i) {
    const double depth = 0.35 + 0.65 * (static_cast<double>(i) + 1) / count;
    body += family_member(chart.family[i], depth, chart.family.size() <= kMostWithDots, x, y);
  }
  return svg::frame(width_px, height, chart.label, body + "</g>");
}

}  // namespace distal
