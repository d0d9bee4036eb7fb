#include "distal/base/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "distal/base/error.h"
#include "distal/base/hash.h"

namespace distal {

Random Random::stream(std::string_view name, uint64_t index) const {
  return Random(mix64(mix64(state_ ^ fnv1a(name)) + 0x9e3779b97f4a7c15ULL * (index + 1)));
}

uint64_t Random::operator()() { return mix64(state_ += 0x9e3779b97f4a7c15ULL); }

double Random::uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

double Random::beta(double a, double b) {
  // Johnk's method: exact for every a, b > 0, quick for the small parameters that mixing uses.
  if (a <= 1 && b <= 1) {
    for (;;) {
      const double x = std::pow(uniform(), 1 / a);
      const double y = std::pow(uniform(), 1 / b);
      if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
  }
  const auto gamma = [this](double shape) {  // Marsaglia and Tsang, ACM TOMS 26(3), 2000
    const double boost = shape < 1 ? std::pow(1 - uniform(), 1 / shape) : 1;
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal();
      const double v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
        return boost * d * v;
    }
  };
  const double x = gamma(a);
  return x / (x + gamma(b));
}

int64_t Random::below(int64_t n) {
  expect(n >= 1, "Random::below needs n >= 1");
  const auto range = static_cast<uint64_t>(n);
  const uint64_t limit = max() - max() % range;
  uint64_t draw = (*this)();
  while (draw >= limit) draw = (*this)();
  return static_cast<int64_t>(draw % range);
}

std::vector<int64_t> Random::permutation(int64_t n) { return choose(n, n); }

std::vector<int64_t> Random::choose(int64_t n, int64_t count) {
  std::vector<int64_t> rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  count = std::min(count, n);
  for (int64_t i = 0; i < count; ++i) std::swap(rows[i], rows[i + below(n - i)]);
  rows.resize(count);
  return rows;
}

}  // namespace distal
