#include "distal/report/sweep_grid.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace distal {
namespace {

/// "pool 48" as an option; nothing where it is none.
std::optional<std::pair<std::string, double>> option_of(const std::string& text) {
  const size_t blank = text.rfind(' ');
  if (blank == std::string::npos || blank == 0) return std::nullopt;
  const std::string name = text.substr(0, blank);
  const bool word = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string::npos;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + blank + 1, end, value);
  if (!word || read.ec != std::errc() || read.ptr != end || !std::isfinite(value))
    return std::nullopt;
  return std::pair(name, value);
}

bool same_options(const ArmName& a, const ArmName& b) {
  return std::equal(a.options.begin(), a.options.end(), b.options.begin(), b.options.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

size_t strategy_row(SweepGrid& grid, const std::string& name) {
  const auto found = std::find_if(grid.strategies.begin(), grid.strategies.end(),
                                  [&](const auto& strategy) { return strategy.name == name; });
  const auto row = static_cast<size_t>(found - grid.strategies.begin());
  if (row == grid.strategies.size()) grid.strategies.push_back({name, {}});
  return row;
}

void add_value(SweptOption& option, double value) {
  const auto at = std::lower_bound(option.values.begin(), option.values.end(), value);
  if (at == option.values.end() || *at != value) option.values.insert(at, value);
}

bool is_control(const ArmView& arm) {
  return std::any_of(arm.trials.begin(), arm.trials.end(),
                     [](const Trial* trial) { return trial->control; });
}

/// The first strategy whose arms are controls is grey; the others get the colours in turn.
void set_styles(SweepGrid& grid) {
  const auto control = std::find_if(grid.arms.begin(), grid.arms.end(),
                                    [](const GridArm& arm) { return is_control(*arm.arm); });
  int64_t colours = 0;
  for (size_t row = 0; row < grid.strategies.size(); ++row) {
    const bool grey = control != grid.arms.end() && control->strategy == row;
    grid.strategies[row].style = {grey ? 0 : colours++, grey};
  }
}

}  // namespace

ArmName arm_name(const std::string& name) {
  ArmName parts{name, {}};
  for (size_t comma = 0; (comma = parts.strategy.rfind(", ")) != std::string::npos;) {
    const auto option = option_of(parts.strategy.substr(comma + 2));
    if (!option) break;
    parts.options.insert(parts.options.begin(), *option);
    parts.strategy.resize(comma);
  }
  return parts;
}

std::vector<size_t> SweepGrid::swept() const {
  std::vector<size_t> out;
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i].values.size() > 1) out.push_back(i);
  }
  return out;
}

const GridArm* SweepGrid::at(size_t strategy, const std::vector<double>& point) const {
  const auto found = std::find_if(arms.begin(), arms.end(), [&](const GridArm& arm) {
    return arm.strategy == strategy && arm.point == point;
  });
  return found == arms.end() ? nullptr : &*found;
}

const GridArm* SweepGrid::of(const ArmView& arm) const {
  const auto found = std::find_if(arms.begin(), arms.end(),
                                  [&](const GridArm& other) { return other.arm == &arm; });
  return found == arms.end() ? nullptr : &*found;
}

std::optional<SweepGrid> sweep_grid(const Summary& summary) {
  SweepGrid grid;
  std::optional<ArmName> first;
  for (const ArmView& arm : summary.arms) {
    const ArmName name = arm_name(arm.name);
    if (!first) {
      first = name;
      for (const auto& option : name.options) grid.options.push_back({option.first, {}});
    }
    if (!same_options(*first, name)) return std::nullopt;
    GridArm placed{&arm, strategy_row(grid, name.strategy), {}};
    for (size_t i = 0; i < name.options.size(); ++i) {
      placed.point.push_back(name.options[i].second);
      add_value(grid.options[i], name.options[i].second);
    }
    grid.arms.push_back(placed);
  }
  if (grid.swept().empty()) return std::nullopt;
  set_styles(grid);
  return grid;
}

}  // namespace distal
