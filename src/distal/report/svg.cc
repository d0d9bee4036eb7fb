#include "distal/report/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "distal/report/html.h"

namespace distal {
namespace {

double round_step(double span, int count) {
  const double raw = span / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

void widen(double& low, double& high) {
  if (high - low > 1e-9 * std::max(std::abs(low), std::abs(high)) && high - low > 1e-300) return;
  const double by = low == 0 ? 0.5 : std::abs(low) / 2;
  low -= by;
  high += by;
}

std::vector<double> ticks_between(double low, double high, double step) {
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9);
  for (double i = 0; (first + i) * step <= high + 1e-9 * step; ++i)
    ticks.push_back((first + i) * step);
  return ticks;
}

std::string polygon(int corners, double x, double y, double r, double turn) {
  std::string out = "<path d=\"";
  for (int i = 0; i < corners; ++i) {
    const double angle = turn + 2 * std::numbers::pi * i / corners;
    out +=
        (i ? "L" : "M") + svg::px(x + r * std::cos(angle)) + " " + svg::px(y + r * std::sin(angle));
  }
  return out + "Z\"";
}

}  // namespace

Scale nice_scale(double low, double high, int count, double from_px, double to_px) {
  widen(low, high);
  const double step = round_step(high - low, count);
  Scale scale{std::floor(low / step + 1e-9) * step,
              std::ceil(high / step - 1e-9) * step,
              from_px,
              to_px,
              {}};
  scale.ticks = ticks_between(scale.low, scale.high, step);
  return scale;
}

Scale exact_scale(double low, double high, int count, double from_px, double to_px) {
  widen(low, high);
  return {low, high, from_px, to_px, ticks_between(low, high, round_step(high - low, count))};
}

int tick_decimals(const Scale& scale, double unit) {
  if (scale.ticks.size() < 2) return 1;
  const double step = (scale.ticks[1] - scale.ticks[0]) * unit;
  for (int decimals = 0; decimals < 6; ++decimals) {
    const double shifted = step * std::pow(10, decimals);
    if (std::abs(shifted - std::round(shifted)) < 1e-6) return decimals;
  }
  return 6;
}

std::string SeriesStyle::name() const { return control ? "ctl" : fmt::format("s{}", index % 8); }

namespace svg {

std::string px(double value) {
  std::string out = fmt::format("{:.2f}", value);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

std::string text(double x, double y, std::string_view content, const char* anchor,
                 std::string_view name) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\"{}>{}</text>", px(x), px(y), anchor,
                     name.empty() ? "" : fmt::format(" class=\"{}\"", name), escaped(content));
}

std::string line(double x1, double y1, double x2, double y2, std::string_view name) {
  return fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>", px(x1), px(y1),
                     px(x2), px(y2), name);
}

std::string marker(const SeriesStyle& style, double x, double y, double r, std::string_view tip) {
  constexpr double kUp = -std::numbers::pi / 2;
  constexpr double kDown = std::numbers::pi / 2;
  constexpr double kFlat = std::numbers::pi / 4;
  static const auto shape = [](int64_t which, double x, double y, double r) -> std::string {
    switch (which) {
      case 0: return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"", px(x), px(y), px(r));
      case 1: return polygon(4, x, y, r * 1.22, kFlat);
      case 2: return polygon(3, x, y + r * 0.15, r * 1.35, kUp);
      case 3: return polygon(4, x, y, r * 1.3, 0);
      case 4: return polygon(3, x, y - r * 0.15, r * 1.35, kDown);
      case 5: return polygon(5, x, y, r * 1.2, kUp);
      case 6: return polygon(6, x, y, r * 1.15, 0);
      default: return polygon(3, x, y, r * 1.35, 0);
    }
  };
  const int64_t which = style.control ? 0 : (style.index % 8 + style.index / 8) % 8;
  const std::string head = shape(which, x, y, r) + " class=\"mark\"";
  if (tip.empty()) return head + "/>";
  return "<g class=\"hit\"><title>" + escaped(tip) + "</title>" + head + "/>" +
         fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"11\" class=\"reach\"/></g>", px(x), px(y));
}

std::string frame(double width, double height, std::string_view label, const std::string& body) {
  return fmt::format("<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
                     "aria-label=\"{2}\">",
                     px(width), px(height), escaped(label)) +
         body + "</svg>\n";
}

}  // namespace svg
}  // namespace distal
