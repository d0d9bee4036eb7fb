#pragma once
// Charts of many arms, as SVG text like those of charts.h: outcomes over a cost with the front, a
// map of a grid of values, and curves of a family of arms over those of all others. Names stand in
// tables beside them, so that any number of arms can be drawn.

#include <limits>
#include <string>
#include <vector>

#include "distal/report/charts.h"

namespace distal {

struct ScatterPoint {
  double x = 0;
  double y = 0;
  SeriesStyle style;
  std::string tip;
  int64_t number = 0;  // of a point of the front, written beside it; 0: a point like any other
};
struct ScatterChart {
  std::string label, x_title, y_title;
  std::vector<ScatterPoint> points;
};
/// Values of y are shares. The points with a number are joined by the steps of the best accuracy at
/// no more than each cost.
std::string scatter_chart(const ScatterChart& chart, double width_px);

/// A map of values over two options. The shade of a cell is its place between `least` and `most`.
struct GridMap {
  struct Cell {
    double value = std::numeric_limits<double>::quiet_NaN();  // not finite: there is none
    std::string text, tip;
    bool outlined = false;
  };
  std::string label, across, down;  // what the columns and the rows are
  std::vector<std::string> columns, rows;
  std::vector<std::vector<Cell>> cells;  // [rows][columns]
  double least = 0;
  double most = 1;
  bool signed_values = false;  // differences: shaded by their size, in a colour for each sign
};
/// As wide as its cells need.
std::string grid_map(const GridMap& map);

/// Curves of one strategy, each darker than the one before, over the curves of all arms in grey. A
/// few curves have dots.
struct FamilyChart {
  std::string label, x_title, y_title;
  SeriesStyle style;
  std::vector<Curve> family, others;
};
std::string family_chart(const FamilyChart& chart, double width_px);

}  // namespace distal
