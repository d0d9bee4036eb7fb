#pragma once
// Named random streams. Each consumer draws from its own stream. A new draw in one consumer
// therefore does not change the draws of others. No state must be saved to resume:
// `Random(seed).stream("augment", step)` always gives the same numbers. The generator is splitmix64
// (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).

#include <cstdint>
#include <string_view>
#include <vector>

namespace distal {

class Random {
 public:
  using result_type = uint64_t;
  explicit Random(uint64_t seed) : state_(seed) {}

  /// An independent stream. It depends on the name, the index and the current state of this stream,
  /// which every draw changes.
  Random stream(std::string_view name, uint64_t index = 0) const;

  uint64_t operator()();                    // uniform over all 64-bit values
  double uniform();                         // [0, 1)
  double uniform(double low, double high);  // [low, high)
  double normal();                          // mean 0, variance 1
  double beta(double a, double b);          // Beta(a, b)
  int64_t below(int64_t n);                 // uniform over 0 .. n-1; n >= 1
  std::vector<int64_t> permutation(int64_t n);
  /// `count` distinct numbers of 0 .. n-1 in random order. All n numbers if count >= n.
  std::vector<int64_t> choose(int64_t n, int64_t count);

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }

 private:
  uint64_t state_;
};

}  // namespace distal
