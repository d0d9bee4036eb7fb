#pragma once
// A grid of arms: which pool, how many rounds, how many answers.

#include <cstdint>
#include <vector>

#include "distal/base/document.h"

namespace distal {

class OptionVisitor;

/// Each list that is not empty becomes an axis; each arm of the recipe is run at every point of the
/// grid, tested against the control arm of the same point. `answers` is the sum over all rounds (so
/// that numbers of rounds are compared at equal cost): the budget of a round is answers / rounds,
/// in selection.unit.
struct SweepOptions {
  std::vector<int64_t> pool;  // pool_size
  std::vector<int64_t> rounds;
  std::vector<double> answers;
  void visit(OptionVisitor& v) const;
  bool operator==(const SweepOptions&) const = default;
};

/// The recipe with its section `sweep` multiplied out into `arms`, and a random arm added where
/// none is there and no_random_arm gives no reason; without such a section, the recipe as it is.
/// Throws UsageError with the place.
Document swept(const Document& recipe);

}  // namespace distal
