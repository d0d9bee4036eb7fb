#pragma once
// The few pieces charts are drawn from: scales with round ticks, text, lines and the markers of the
// arms. Everything is text; colours are left to the page's style sheet through classes (s0 .. s7
// for arms, ctl for the control).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

/// A linear map of [low, high] to pixels, with ticks at 1, 2, 2.5 or 5 times a power of ten.
struct Scale {
  double low = 0;
  double high = 1;
  double from_px = 0;
  double to_px = 1;
  std::vector<double> ticks;
  double operator()(double value) const {
    return from_px + (value - low) / (high - low) * (to_px - from_px);
  }
};

/// A scale whose ends are ticks and which covers [low, high]; equal ends are widened. About `count`
/// ticks.
Scale nice_scale(double low, double high, int count, double from_px, double to_px);
/// A scale of exactly [low, high] with the round ticks inside it.
Scale exact_scale(double low, double high, int count, double from_px, double to_px);
/// Decimals that tell neighbouring ticks apart after multiplication with `unit`.
int tick_decimals(const Scale& scale, double unit = 1);

/// What an arm looks like everywhere in the report.
struct SeriesStyle {
  int64_t index = 0;         // colour and marker; both repeat after eight, never together before 64
  bool control = false;      // grey
  std::string name() const;  // the class: "s3", "ctl"
};

namespace svg {

std::string px(double value);  // at most two decimals
/// anchor: start, middle or end.
std::string text(double x, double y, std::string_view content, const char* anchor = "start",
                 std::string_view name = "");
std::string line(double x1, double y1, double x2, double y2, std::string_view name);
/// The arm's marker of radius `r`, with `tip` as its title where given.
std::string marker(const SeriesStyle& style, double x, double y, double r,
                   std::string_view tip = "");
/// Wraps `body` in <svg> with a label for screen readers.
std::string frame(double width, double height, std::string_view label, const std::string& body);

}  // namespace svg
}  // namespace distal
