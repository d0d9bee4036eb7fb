#pragma once

#include <vector>

namespace distal {

/// The value below which a share of sorted values lies, linear between two of them (NumPy's
/// default): 0 is the least, 1 the greatest. At least one value.
double quantile(const std::vector<double>& sorted, double share);

}  // namespace distal
