#include "distal/evaluation/proportions.h"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/special_functions/beta.hpp>

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr double kTail = 0.025;

void require_count(int64_t successes, int64_t trials) {
  expect(0 <= successes && successes <= trials, "no more successes than trials, and none below 0");
}

}  // namespace

Interval wilson(int64_t successes, int64_t trials) {
  require_count(successes, trials);
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double z = boost::math::quantile(complement(boost::math::normal(), kTail));
  const double centre = (2 * n * p + z * z) / (2 * (n + z * z));
  const double half = z / (2 * (n + z * z)) * std::sqrt(4 * n * p * (1 - p) + z * z);
  return {successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half};
}

Interval clopper_pearson(int64_t successes, int64_t trials) {
  require_count(successes, trials);
  const auto k = static_cast<double>(successes);
  const auto n = static_cast<double>(trials);
  return {successes == 0 ? 0 : boost::math::ibeta_inv(k, n - k + 1, kTail),
          successes == trials ? 1 : boost::math::ibetac_inv(k + 1, n - k, kTail)};
}

double mcnemar_exact_p(int64_t only_a, int64_t only_b) {
  require_count(std::min(only_a, only_b), only_a + only_b);
  if (only_a + only_b == 0) return 1;
  const boost::math::binomial fair(static_cast<double>(only_a + only_b), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(fair, static_cast<double>(std::min(only_a, only_b))));
}

}  // namespace distal
