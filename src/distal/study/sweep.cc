#include "distal/study/sweep.h"

#include <algorithm>

#include "distal/study/recipe.h"

namespace distal {
namespace {

struct Point {
  std::string name;
  std::vector<Override> settings;
};

// An axis of the grid: every point so far, with every value; the points themselves where the axis is absent.
template <class T, class Settings>
std::vector<Point> along(const std::vector<Point>& points, const std::vector<T>& values, const std::string& name, const Settings& settings) {
  if (values.empty()) return points;
  std::vector<Point> longer;
  for (const Point& point : points)
    for (const T& value : values) {
      Point next{fmt::format("{}{}{} {:g}", point.name, point.name.empty() ? "" : ", ", name, static_cast<double>(value)), point.settings};
      for (const Override& setting : settings(value)) next.settings.push_back(setting);
      longer.push_back(next);
    }
  return longer;
}

std::vector<Point> grid(const SweepOptions& sweep) {
  std::vector<Point> points = along(std::vector<Point>{{}}, sweep.pool, "pool", [](int64_t n) { return std::vector<Override>{{"pool_size", fmt::format("{}", n)}}; });
  points = along(points, sweep.rounds, "rounds", [](int64_t n) { return std::vector<Override>{{"rounds", fmt::format("{}", n)}}; });
  return along(points, sweep.answers, "answers", [](double n) { return std::vector<Override>{{"budget", fmt::format("{}", n)}}; });
}

void require_few(const SweepOptions& sweep, size_t arms, const std::string& place) {
  const auto length = [](size_t values) { return std::max<size_t>(1, values); };
  const size_t pools = length(sweep.pool.size()), rounds = length(sweep.rounds.size()), answers = length(sweep.answers.size());
  // Each factor is below kMostYamlValues, so that the product of four fits.
  const size_t all = pools * rounds * answers * arms;
  if (all > static_cast<size_t>(kMostArms))
    throw UsageError(fmt::format("{}: sweep: {} pools x {} rounds x {} answers x {} arms = {} arms, at most {} are run; compare fewer", place, pools, rounds, answers, arms, all, kMostArms));
}

// The answers of all rounds become the budget of each.
Document arm_at(const Document& base, const Document& difference, const Point& point, bool total) {
  Document arm = difference.with(point.settings);
  if (!total) return arm;
  Recipe recipe;
  base.overlaid_by(arm).read(recipe);
  if (recipe.rounds == 0) throw UsageError(fmt::format("{}: sweep.answers needs rounds to spend them in; set rounds or sweep.rounds", base.place()));
  return arm.with({{"budget", fmt::format("{}", recipe.budget / static_cast<double>(recipe.rounds))}});
}

// The arms at a point: whether one selects, and by chance, is the same at all of them.
std::vector<NamedDifference> arms_at(const Document& recipe, const Document& base, const Recipe& common, const Point& point) {
  auto arms = recipe.entries("arms");
  if (arms.empty()) arms.emplace_back(chooses_by(common), Document::text("{}", base.place()));
  for (auto& [name, difference] : arms) difference = difference.with(point.settings);
  const auto twin = common.no_random_arm.empty() ? random_twin(base, arms) : std::nullopt;
  if (twin) arms.push_back(*twin);
  return arms;
}

// The arm that those without a control of their own are tested against.
std::string control_of(const Document& base, const Recipe& common, const std::vector<NamedDifference>& arms) {
  if (!common.control.empty()) return common.control;
  for (const auto& [name, difference] : arms) {
    Recipe arm;
    base.overlaid_by(difference).read(arm);
    if (is_random(arm)) return name;
  }
  return arms.front().first;
}

}  // namespace

void SweepOptions::visit(OptionVisitor& v) {
  v("pool", pool, "pool sizes to compare", at_least(1));
  v("rounds", rounds, "numbers of rounds to compare", between(1, 1000));
  v("answers", answers, "answers over all rounds to compare, in selection.unit", at_least(1));
}

Document swept(const Document& recipe) {
  const auto section = recipe.section("sweep");
  if (!section) return recipe;
  SweepOptions sweep;
  section->read(sweep);
  const Document base = recipe.without("arms").without("sweep");
  Recipe common;
  base.read(common);
  require_few(sweep, std::max<size_t>(1, recipe.entries("arms").size()), section->at());
  const auto points = grid(sweep);
  const auto arms = arms_at(recipe, base, common, points.front());
  const std::string control = control_of(base, common, arms);
  std::vector<NamedDifference> all;
  const auto name = [](const std::string& arm, const Point& point) { return point.name.empty() ? arm : arm + ", " + point.name; };
  for (const Point& point : points)
    for (const auto& [arm, difference] : arms) {
      const Override against{"control", name(control, point), /*literal=*/true};
      all.emplace_back(name(arm, point), arm_at(base, difference, point, !sweep.answers.empty()).with({against}));
    }
  return base.without("control").with_entries("arms", all);
}

}  // namespace distal
