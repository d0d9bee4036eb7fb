#pragma once
// What several charts are drawn from: the extent of their values, ticks of shares, and axes.

#include <limits>
#include <string>

#include "distal/report/svg.h"

namespace distal {

/// The least and the greatest of the finite values that were added.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  void add(double value);
  bool empty() const { return low > high; }
};

/// A share as a tick in per cent, with a true minus sign, and a plus where `sign` asks for one.
std::string share_tick(double value, int decimals, bool sign);

std::string axes(const Scale& x, const Scale& y, const std::string& x_title,
                 const std::string& y_title);

/// The class of a text on a cell of this opacity: low, mid or high. The page turns the text of high
/// ones, on a dark page of mid ones too.
const char* shade_depth(double opacity);

}  // namespace distal
