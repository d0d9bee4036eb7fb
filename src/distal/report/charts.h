#pragma once
// The report's charts as SVG text: curves with intervals, dots with intervals, a confusion heat map
// and a reliability diagram. Drawn on the server side, styled by the page, each with a label that
// says its content in words. A value that is not finite is left out; a chart without any finite
// value is the empty string. Widths in CSS pixels.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "distal/report/svg.h"

namespace distal {

struct CurvePoint {
  double x = 0;
  double y = 0;
  // the interval; not finite where unknown
  double low = 0;
  double high = 0;
  std::string tip;  // shown on hovering
};
struct Curve {
  std::string name;
  SeriesStyle style;
  std::vector<CurvePoint> points;
};
struct CurveChart {
  std::string label, x_title, y_title;
  std::vector<Curve> curves;
  double reference =
      std::numeric_limits<double>::quiet_NaN();  // a level to compare with, such as the teacher's
  std::string reference_name;
};
/// Values of y are shares, shown as percentages. Names stand beside the ends where the width allows
/// (>= 600).
std::string curve_chart(const CurveChart& chart, double width_px);

struct DotRow {
  std::string name;
  SeriesStyle style;
  double value = 0;
  double low = 0;
  double high = 0;
  std::vector<double> seeds;  // each seed's own value, drawn small
  std::string text, tip;      // text: the value in words, at the right
  // a second interval, drawn as a thin line
  double wide_low = std::numeric_limits<double>::quiet_NaN();
  double wide_high = wide_low;
};
struct DotChart {
  std::string label, x_title;
  std::vector<DotRow> rows;
  bool zero_line = false;  // differences: zero is marked, and ticks carry a sign
};
/// Values are shares, shown in per cent or percentage points.
std::string dot_chart(const DotChart& chart, double width_px);

/// Rows are the truth; a cell's shade is its share of the row. `counts` K x K.
std::string heat_map(const std::vector<std::vector<int64_t>>& counts,
                     const std::vector<std::string>& classes, const SeriesStyle& style,
                     const std::string& label, double width_px);

struct ReliabilityBin {
  double clips = 0;
  double confidence = 0;
  double accuracy = 0;
};
/// Accuracy over confidence, with the share of clips in each bin beneath. Square.
std::string reliability_chart(const std::vector<ReliabilityBin>& bins, const SeriesStyle& style,
                              const std::string& label, double width_px);

}  // namespace distal
