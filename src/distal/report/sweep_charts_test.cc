#include "distal/report/sweep_charts.h"

#include <cmath>
#include <regex>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  std::vector<std::string> out;
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    out.push_back((*at)[1]);
  return out;
}

ScatterChart outcomes_of_four() {
  ScatterChart chart{"label", "answers", "accuracy", {}};
  chart.points = {{10, 0.4, {0, true}, "first", 1},
                  {20, 0.3, {0, false}, "behind", 0},
                  {30, 0.6, {1, false}, "last", 2},
                  {40, NAN, {1, false}, "unknown", 0}};
  return chart;
}

TEST(ScatterChart, JoinsTheFrontBySteps) {
  const std::string svg = scatter_chart(outcomes_of_four(), 450);
  EXPECT_THAT(matches(svg, "class=\"front\" d=\"(M[-0-9. ]+H[0-9.]+V[0-9.]+H[0-9.]+)\""),
              SizeIs(1));
  EXPECT_THAT(matches(svg, "class=\"rank\">([0-9]+)<"), testing::ElementsAre("1", "2"));
  EXPECT_THAT(matches(svg, "<title>([a-z]+)</title>"),
              testing::UnorderedElementsAre("first", "behind", "last"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(ScatterChart, WithoutAPointIsEmpty) {
  ScatterChart chart = outcomes_of_four();
  for (ScatterPoint& point : chart.points) point.y = NAN;
  EXPECT_EQ(scatter_chart(chart, 450), "");
  chart.points = {{10, 0.4, {}, "alone", 0}};
  EXPECT_THAT(scatter_chart(chart, 450), Not(HasSubstr("class=\"front\"")));
}

GridMap two_by_two() {
  GridMap map{.label = "label", .across = "pool", .down = "rounds"};
  map.columns = {"48", "480"};
  map.rows = {"1", "4"};
  map.cells = {{{0.5, "50.0", "tip <1>", false}, {0.75, "75.0", "tip", false}},
               {{1, "100.0", "tip", true}, {}}};
  map.least = 0.5;
  return map;
}

TEST(GridMap, ShadesACellByItsPlaceBetweenTheEnds) {
  const std::string svg = grid_map(two_by_two());
  EXPECT_THAT(matches(svg, "fill-opacity:([0-9.]+)"),
              testing::ElementsAre("0.060", "0.530", "1.000"));
  EXPECT_THAT(matches(svg, "class=\"count ([a-z]+)\""), testing::ElementsAre("low", "low", "high"));
  EXPECT_THAT(matches(svg, "class=\"(absent)\""), SizeIs(1));
  EXPECT_THAT(matches(svg, "class=\"cell (outlined)\""), SizeIs(1));
  EXPECT_THAT(svg, HasSubstr("tip &lt;1&gt;"));
  EXPECT_EQ(grid_map({}), "");
}

TEST(GridMap, DifferencesHaveAColourForEachSign) {
  GridMap map = two_by_two();
  map.cells = {{{-0.1, "−10.0", "", false}, {0.05, "+5.0", "", false}}, {{}, {}}};
  map.most = 0.1;
  map.signed_values = true;
  const std::string svg = grid_map(map);
  EXPECT_THAT(matches(svg, "class=\"cell (up|down)"), testing::ElementsAre("down", "up"));
  EXPECT_THAT(matches(svg, "fill-opacity:([0-9.]+)"), testing::ElementsAre("1.000", "0.530"));
}

TEST(FamilyChart, DrawsItsCurvesOverAllOthers) {
  FamilyChart chart{"label", "answers", "accuracy", {2, false}, {}, {}};
  chart.family = {{"a", {}, {{10, 0.4, NAN, NAN, "one"}, {20, 0.6, NAN, NAN, "two"}}},
                  {"b", {}, {{10, 0.5, NAN, NAN, "three"}, {20, NAN, NAN, NAN, "four"}}}};
  chart.others = chart.family;
  const std::string svg = family_chart(chart, 300);
  EXPECT_THAT(matches(svg, "class=\"(member)\""), SizeIs(2));
  EXPECT_THAT(matches(svg, "class=\"(behind)\""), SizeIs(1));
  EXPECT_THAT(matches(svg, "g style=\"opacity:([0-9.]+)\""), testing::ElementsAre("0.68", "1.00"));
  EXPECT_THAT(svg, Not(HasSubstr("four")));
  EXPECT_EQ(family_chart({}, 300), "");
}

}  // namespace
}  // namespace distal
