#pragma once
// What a count of independent trials says: intervals of a share and the exact test of two models on
// the same clips. Pure functions; more successes than trials, or a negative number, is a bug
// (`expect`).

#include <cstdint>

#include "distal/evaluation/statistics.h"

namespace distal {

/// The 95 % score interval of a share. [0, 1] without trials. E. B. Wilson, "Probable Inference,
/// the Law of Succession, and Statistical Inference", JASA 22(158), 1927.
Interval wilson(int64_t successes, int64_t trials);

/// The exact 95 % interval: it covers the true share in at least 95 % of all samples, whatever that
/// is. [0, 1] without trials. C. J. Clopper, E. S. Pearson, Biometrika 26(4), 1934.
Interval clopper_pearson(int64_t successes, int64_t trials);

/// Exact two-sided test of two models on the same independent clips: `only_a` clips are right by
/// the first alone, `only_b` by the second alone. 1 where both are 0. Q. McNemar, Psychometrika
/// 12(2), 1947, with the binomial distribution in place of the approximation.
double mcnemar_exact_p(int64_t only_a, int64_t only_b);

}  // namespace distal
