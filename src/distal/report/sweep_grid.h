#pragma once
// The arms of a sweep as a grid: each strategy at points of the swept options. The grid is read
// from the names of the arms, which study/sweep.h makes: "margin, pool 48, rounds 2, answers 16".
// Arms that a recipe names alike make a grid too, and so do those of reports that are laid side by
// side. Values only; pointers point into the Summary.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/report/summary.h"

namespace distal {

/// The name of an arm taken apart: "margin" and {"pool", 48}, {"rounds", 2}, {"answers", 16}.
/// Without options at its end the strategy is the whole name.
struct ArmName {
  std::string strategy;
  std::vector<std::pair<std::string, double>> options;
};
ArmName arm_name(const std::string& name);

struct SweptOption {
  std::string name;
  std::vector<double> values;  // ascending, each once
};

struct GridArm {
  const ArmView* arm = nullptr;
  size_t strategy = 0;        // row of SweepGrid::strategies
  std::vector<double> point;  // the value of each of SweepGrid::options
};

struct SweepGrid {
  struct Strategy {
    std::string name;
    SeriesStyle style;  // grey where its arms are the controls
  };
  std::vector<Strategy> strategies;  // in the order in which they first appear
  std::vector<SweptOption> options;  // in the order of the names, also those with one value
  std::vector<GridArm> arms;         // in the order of Summary::arms

  /// Options with two values or more, by their place in `options`. At least one.
  std::vector<size_t> swept() const;
  /// Null where the sweep has no such arm.
  const GridArm* at(size_t strategy, const std::vector<double>& point) const;
  const GridArm* of(const ArmView& arm) const;
};

/// Nothing where the arms are none of a sweep: one has no options in its name or others than the
/// first, or no option has two values.
std::optional<SweepGrid> sweep_grid(const Summary& summary);

}  // namespace distal
