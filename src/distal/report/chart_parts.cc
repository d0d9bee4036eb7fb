#include "distal/report/chart_parts.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "distal/report/html.h"

namespace distal {

void Extent::add(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

std::string share_tick(double value, int decimals, bool sign) {
  const std::string size = fmt::format("{:.{}f}", std::abs(value) * 100, decimals);
  if (std::abs(value) < 1e-12) return "0";
  return (value < 0 ? "−" : sign ? "+" : "") + size;
}

std::string axes(const Scale& x, const Scale& y, const std::string& x_title,
                 const std::string& y_title) {
  std::string out = "<g class=\"axes\">";
  const int decimals = tick_decimals(y, 100);
  for (const double tick : y.ticks) {
    out += svg::line(x.from_px, y(tick), x.to_px, y(tick), "grid");
    out += svg::text(x.from_px - 8, y(tick) + 4, share_tick(tick, decimals, false), "end");
  }
  const int x_decimals = tick_decimals(x);
  for (const double tick : x.ticks) {
    out += svg::line(x(tick), y.from_px, x(tick), y.from_px + 4, "tick");
    out += svg::text(x(tick), y.from_px + 19, number(tick, x_decimals), "middle");
  }
  out += svg::line(x.from_px, y.from_px, x.to_px, y.from_px, "base");
  out += x_title.empty()
             ? ""
             : svg::text((x.from_px + x.to_px) / 2, y.from_px + 40, x_title, "middle", "title");
  return out + svg::text(0, 12, y_title, "start", "title") + "</g>";
}

const char* shade_depth(double opacity) {
  return opacity < 0.55 ? "low" : opacity < 0.85 ? "mid" : "high";
}

}  // namespace distal
