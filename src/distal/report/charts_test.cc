#include "distal/report/charts.h"

#include <cmath>
#include <limits>
#include <regex>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Every match's first group as a number.
std::vector<double> numbers(const std::string& text, const std::string& pattern) {
  std::vector<double> out;
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    out.push_back(std::stod((*at)[1]));
  return out;
}

CurveChart two_arms() {
  CurveChart chart{"label", "answers", "accuracy", {}, kNan, ""};
  chart.curves.push_back(
      {"random", {0, true}, {{10, 0.4, 0.35, 0.45, "first"}, {20, 0.6, 0.55, 0.65, "second"}}});
  chart.curves.push_back(
      {"badge", {0, false}, {{10, 0.4, kNan, kNan, "third"}, {20, 0.602, 0.5, 0.7, "fourth"}}});
  return chart;
}

TEST(Scale, HasRoundTicksThatCoverTheValues) {
  const Scale scale = nice_scale(0.31, 0.74, 5, 100, 0);
  EXPECT_THAT(scale.ticks,
              ElementsAre(DoubleNear(0.3, 1e-9), DoubleNear(0.4, 1e-9), DoubleNear(0.5, 1e-9),
                          DoubleNear(0.6, 1e-9), DoubleNear(0.7, 1e-9), DoubleNear(0.8, 1e-9)));
  EXPECT_DOUBLE_EQ(scale(scale.low), 100);
  EXPECT_DOUBLE_EQ(scale(scale.high), 0);
  EXPECT_EQ(tick_decimals(scale, 100), 0);
  EXPECT_EQ(tick_decimals(nice_scale(0.51, 0.52, 5, 0, 1), 100), 1);
}

TEST(Scale, WidensWhenAllValuesAreEqual) {
  for (const double value : {0.0, 0.5, -3.0, 1e9}) {
    const Scale scale = nice_scale(value, value, 5, 0, 100);
    EXPECT_LT(scale.low, value);
    EXPECT_GT(scale.high, value);
    EXPECT_TRUE(std::isfinite(scale(value)));
    EXPECT_LE(scale.ticks.size(), 12U);
  }
}

TEST(Scale, ExactEndsKeepOnlyTheTicksInside) {
  EXPECT_THAT(exact_scale(16, 112, 5, 0, 1).ticks, ElementsAre(20, 40, 60, 80, 100));
}

TEST(SeriesStyle, RepeatsColoursAfterEightButNotTogetherWithTheMarker) {
  EXPECT_EQ((SeriesStyle{9, false}.name()), "s1");
  EXPECT_EQ((SeriesStyle{1, true}.name()), "ctl");
  EXPECT_NE(svg::marker({1, false}, 0, 0, 4), svg::marker({9, false}, 0, 0, 4));
}

TEST(CurveChart, PutsPointsWhereTheyBelong) {
  const std::string svg = curve_chart(two_arms(), 350);
  const auto x = numbers(svg, "class=\"curve\" d=\"M([-0-9.]+) ");
  const auto y = numbers(svg, "class=\"curve\" d=\"M[-0-9.]+ ([-0-9.]+)");
  ASSERT_THAT(y, SizeIs(2));
  EXPECT_EQ(x[0], x[1]);  // the same budget
  EXPECT_EQ(y[0], y[1]);  // the same accuracy
  const auto end = numbers(svg, "class=\"curve\" d=\"M[^L]*L[-0-9.]+ ([-0-9.]+)");
  EXPECT_LT(end[0], y[0]);  // more is higher up
  EXPECT_LT(end[1], end[0]);
}

TEST(CurveChart, LabelsBesideTheEndsDoNotOverlap) {
  const std::string svg = curve_chart(two_arms(), 900);
  const auto y = numbers(svg, "y=\"([0-9.]+)\" text-anchor=\"start\" class=\"name\"");
  ASSERT_THAT(y, SizeIs(2));
  EXPECT_GE(std::abs(y[0] - y[1]), 16.9);
  EXPECT_THAT(curve_chart(two_arms(), 350), Not(HasSubstr("class=\"name\"")));
}

TEST(CurveChart, LeavesOutWhatIsNotFinite) {
  CurveChart chart = two_arms();
  chart.curves[0].points[1].y = kNan;
  const std::string svg = curve_chart(chart, 900);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("second")));
  EXPECT_THAT(svg, HasSubstr("fourth"));
  for (auto& curve : chart.curves) {
    for (auto& p : curve.points) p.y = kNan;
  }
  EXPECT_EQ(curve_chart(chart, 900), "");
  EXPECT_EQ(curve_chart({}, 900), "");
}

TEST(CurveChart, ShowsTheReferenceInsideItsScale) {
  CurveChart chart = two_arms();
  chart.reference = 0.95;
  chart.reference_name = "teacher";
  const auto y = numbers(curve_chart(chart, 900),
                         "y1=\"([-0-9.]+)\" x2=\"[0-9.]+\" y2=\"[-0-9.]+\" class=\"ideal\"");
  ASSERT_THAT(y, SizeIs(1));
  EXPECT_GE(y[0], 30);
}

TEST(DotChart, MarksZeroForDifferences) {
  DotChart chart{
      "label", "points", {{"badge", {}, 0.05, 0.01, 0.09, {0.02, 0.08}, "+5.0", "tip"}}, true};
  const std::string svg = dot_chart(chart, 900);
  EXPECT_THAT(svg, HasSubstr("class=\"zero\""));
  EXPECT_THAT(svg, HasSubstr(">+4<"));
  EXPECT_THAT(numbers(svg, "cx=\"([0-9.]+)\" cy=\"[0-9.]+\" r=\"2.6\""), SizeIs(2));
  chart.rows[0] = {"badge", {}, kNan, kNan, kNan, {kNan}, "", ""};
  EXPECT_EQ(dot_chart(chart, 900), "");
}

TEST(HeatMap, ShadesEachCellByItsShareOfTheRow) {
  const std::string svg = heat_map({{3, 1}, {0, 0}}, {"walk", "run"}, {}, "label", 400);
  EXPECT_THAT(numbers(svg, "fill-opacity:([0-9.]+)"),
              ElementsAre(DoubleNear(0.05 + 0.95 * 0.75, 1e-3),
                          DoubleNear(0.05 + 0.95 * 0.25, 1e-3), 0.05, 0.05));
  EXPECT_THAT(svg, HasSubstr("truth walk, predicted run: 1 of 4 (25.0\u00A0%)"));
  EXPECT_EQ(heat_map({}, {}, {}, "label", 400), "");
  EXPECT_THAT(heat_map({{1}}, {}, {}, "label", 400), HasSubstr("class 0"));
}

TEST(Reliability, SkipsEmptyBins) {
  const std::string svg =
      reliability_chart({{0, 0, 0}, {4, 0.5, 0.25}, {12, 0.9, 1}}, {}, "label", 350);
  EXPECT_THAT(numbers(svg, "height=\"([0-9.]+)\" class=\"share\""),
              ElementsAre(DoubleNear(40.0 / 3, 0.01), 40));
  EXPECT_EQ(reliability_chart({{0, 0, 0}}, {}, "label", 350), "");
}

}  // namespace
}  // namespace distal
