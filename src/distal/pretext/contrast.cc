#include "distal/pretext/contrast.h"

#include <numbers>

#include "distal/distill/loss.h"

namespace distal {

double annealed(double first, int64_t step, int64_t steps) {
  return 1 -
         (1 - first) *
             (std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)) +
              1) /
             2;
}

torch::Tensor unit_rows(const torch::Tensor& rows) {
  const torch::Tensor whole = at_least_float32(rows);
  return whole / whole.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace distal
