#include "distal/study/sweep.h"

#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/study/recipe.h"

namespace distal {
namespace {

struct Point {
  std::string name;
  std::vector<Override> settings;
};

// An axis of the grid: every point so far, with every value; the points themselves where the axis
// is absent.
template <class T, class Settings>
std::vector<Point> along(const std::vector<Point>& points, const std::vector<T>& values,
                         const std::string& name, const Settings& settings) {
  if (values.empty()) return points;
  std::vector<Point> longer;
  for (const Point& point : points) {
    for (const T& value : values) {
      Point next{fmt::format("{}{}{} {:g}", point.name, point.name.empty() ? "" : ", ", name,
                             static_cast<double>(value)),
                 point.settings};
      for (const Override& setting : settings(value)) next.settings.push_back(setting);
      longer.push_back(next);
    }
  }
  return longer;
}

std::vector<Point> grid(const SweepOptions& sweep) {
  std::vector<Point> points = along(std::vector<Point>{{}}, sweep.pool, "pool", [](int64_t n) {
    return std::vector<Override>{{"pool_size", fmt::format("{}", n)}};
  });
  points = along(points, sweep.rounds, "rounds", [](int64_t n) {
    return std::vector<Override>{{"rounds", fmt::format("{}", n)}};
  });
  return along(points, sweep.answers, "answers", [](double n) {
    return std::vector<Override>{{"budget", fmt::format("{}", n)}};
  });
}

void require_few(const SweepOptions& sweep, size_t arms, const std::string& place) {
  const auto length = [](size_t values) { return std::max<size_t>(1, values); };
  const size_t pools = length(sweep.pool.size());
  const size_t rounds = length(sweep.rounds.size());
  const size_t answers = length(sweep.answers.size());
  // Each factor is below kMostYamlValues, so that the product of four fits.
  const size_t all = pools * rounds * answers * arms;
  if (all > static_cast<size_t>(kMostArms))
    throw UsageError(fmt::format("{}: sweep: {} pools x {} rounds x {} answers x {} arms = {} "
                                 "arms, at most {} are run; compare fewer",
                                 place, pools, rounds, answers, arms, all, kMostArms));
}

// The answers of all rounds become the budget of each.
Document arm_at(const Document& base, const Document& difference, const Point& point, bool total) {
  Document arm = difference.with(point.settings);
  if (!total) return arm;
  ArmOptions options;
  base.overlaid_by(arm).read(options);
  if (options.rounds == 0)
    throw UsageError(
        fmt::format("{}: sweep.answers needs rounds to spend them in; set rounds or sweep.rounds",
                    base.place()));
  return arm.with(
      {{"budget", fmt::format("{}", options.budget / static_cast<double>(options.rounds))}});
}

// The arms at a point: whether one selects, and by chance, is the same at all of them.
std::vector<ArmDifference> arms_at(const Document& recipe, const Document& base, const Recipe& top,
                                   const Point& point) {
  auto differences = recipe.entries("arms");
  if (differences.empty())
    differences.emplace_back(top.arm.criterion(), Document::text("{}", base.place()));
  for (auto& [name, difference] : differences) difference = difference.with(point.settings);
  std::vector<ArmDifference> arms = read_arms(recipe.without("sweep"), differences);
  auto twin = top.shared.no_random_arm.empty() ? random_twin(base, arms) : std::nullopt;
  if (twin) arms.push_back(*std::move(twin));
  return arms;
}

// The arm that those without a control of their own are tested against.
std::string control_of(const Recipe& top, const std::vector<ArmDifference>& arms) {
  if (!top.arm.control.empty()) return top.arm.control;
  const auto random = std::find_if(
      arms.begin(), arms.end(), [](const ArmDifference& arm) { return arm.options.is_random(); });
  return random != arms.end() ? random->name : arms.front().name;
}

}  // namespace

void SweepOptions::visit(OptionVisitor& v) const {
  v("pool", pool, "pool sizes to compare", at_least(1));
  v("rounds", rounds, "numbers of rounds to compare", between(1, 1000));
  v("answers", answers, "answers over all rounds to compare, in selection.unit", at_least(1));
}

Document swept(const Document& recipe) {
  const auto section = recipe.section("sweep");
  if (!section) return recipe;
  SweepOptions sweep;
  section->read(sweep);
  const Document without_arms = recipe.without("arms").without("sweep");
  const Document base = arm_part(recipe.without("sweep"));
  Recipe top;
  without_arms.read(top);
  require_few(sweep, std::max<size_t>(1, recipe.entries("arms").size()), section->at());
  const auto points = grid(sweep);
  const auto arms = arms_at(recipe, base, top, points.front());
  const std::string control = control_of(top, arms);
  std::vector<std::pair<std::string, Document>> all;
  const auto name = [](const std::string& arm, const Point& point) {
    return point.name.empty() ? arm : arm + ", " + point.name;
  };
  for (const Point& point : points) {
    for (const ArmDifference& arm : arms) {
      const Override against{"control", name(control, point), /*literal=*/true};
      all.emplace_back(name(arm.name, point),
                       arm_at(base, arm.difference, point, !sweep.answers.empty()).with({against}));
    }
  }
  return without_arms.without("control").with_entries("arms", all);
}

}  // namespace distal
