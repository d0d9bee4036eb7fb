#include "distal/evaluation/round_result.h"

#include <type_traits>

namespace distal {

double RoundField::value(const RoundResult& round) const {
  const auto read = [&](auto of) {
    if constexpr (std::is_same_v<decltype(of), double Metrics::*>)
      return round.metrics.*of;
    else
      return static_cast<double>(round.*of);
  };
  const double value = std::visit(read, member);
  return value == unknown ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace distal
