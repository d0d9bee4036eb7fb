#pragma once
// Named random streams. Each consumer draws from a stream of its own, so that adding one draw
// somewhere changes nothing elsewhere, and a stream needs no state to resume:
// `Random(seed).stream("augment", step)` is the same for ever. Generator: splitmix64 (Steele, Lea,
// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).

#include <cstdint>
#include <string_view>
#include <vector>

namespace distal {

class Random {
 public:
  using result_type = uint64_t;
  explicit Random(uint64_t seed) : state_(seed) {}

  /// An independent stream that depends on this one's state as it is now (drawing changes it), the
  /// name and the index.
  Random stream(std::string_view name, uint64_t index = 0) const;

  uint64_t operator()();                    // uniform over all 64-bit values
  double uniform();                         // [0, 1)
  double uniform(double low, double high);  // [low, high)
  double normal();                          // mean 0, variance 1
  double beta(double a, double b);          // Beta(a, b)
  int64_t below(int64_t n);                 // uniform over 0 .. n-1; n >= 1
  std::vector<int64_t> permutation(int64_t n);
  /// `count` distinct rows of 0 .. n-1 in random order; all of them when count >= n.
  std::vector<int64_t> choose(int64_t n, int64_t count);

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }

 private:
  uint64_t state_;
};

/// FNV-1a, 64 bits.
uint64_t fnv1a(std::string_view text, uint64_t basis = 0xcbf29ce484222325ULL);
/// The splitmix64 finaliser.
uint64_t mix64(uint64_t z);

}  // namespace distal
