#include "distal/active/nearest_centre.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include <ATen/Parallel.h>

#include "distal/base/clones.h"
#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"

namespace distal {

struct NearestCentre::Arithmetic {
  torch::ScalarType centres;  // the type they are kept and computed in
  double (*dot)(const void* x, const void* c, int64_t n);
  double (*squared)(const void* x, const void* c, int64_t n, double scale);  // |scale x - c|^2
};

namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();
constexpr int32_t kCentre = std::numeric_limits<int32_t>::max();
constexpr int64_t kGrain = 16384;  // rows a thread looks at in one go

void check_now_and_then(int64_t row) {
  if (row % 1024 == 0) check_interrupted();
}

constexpr int64_t kWidest = 1 << 16;

// 32 bytes of numbers at a time. The sum of four such rows of numbers is the same on every
// processor.
template <class Number>
struct Lanes {
  typedef Number Values __attribute__((vector_size(32)));
  static constexpr int64_t width = 32 / static_cast<int64_t>(sizeof(Number));
};

template <class Number>
[[gnu::always_inline]] inline void load(const Number* from, typename Lanes<Number>::Values& to) {
  std::memcpy(&to, from, 32);
}
template <class Number>
[[gnu::always_inline]] inline Number number(Number value) {
  return value;
}

// bfloat16 is the upper half of a float32.
typedef uint16_t Halves __attribute__((vector_size(16)));
typedef uint32_t Words __attribute__((vector_size(32)));
[[gnu::always_inline]] inline void load(const uint16_t* from, Lanes<float>::Values& to) {
  Halves halves;
  std::memcpy(&halves, from, 16);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  std::memcpy(&to, &words, 32);
}
[[gnu::always_inline]] inline float number(uint16_t bf16) {
  return std::bit_cast<float>(static_cast<uint32_t>(bf16) << 16);
}

// The sum of what add(sum, x_i, c_i) adds.
template <class Stored, class Number, class Add>
[[gnu::always_inline]] inline double sum(const Stored* x, const Number* c, int64_t n, Add add) {
  using Values = typename Lanes<Number>::Values;
  constexpr int64_t width = Lanes<Number>::width;
  constexpr int64_t rows = 4;
  Values sums[rows] = {};
  int64_t i = 0;
  for (; i + rows * width <= n; i += rows * width) {
    for (int64_t r = 0; r < rows; ++r) {
      Values a, b;
      load(x + i + r * width, a);
      load(c + i + r * width, b);
      add(sums[r], a, b);
    }
  }
  const Values all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  Number total = 0;
  for (int64_t lane = 0; lane < width; ++lane) total += all[lane];
  for (; i < n; ++i) add(total, number(x[i]), c[i]);
  return static_cast<double>(total);
}

template <class Stored, class Number>
[[gnu::always_inline]] inline double dot(const void* x, const void* c, int64_t n) {
  return sum(
      static_cast<const Stored*>(x), static_cast<const Number*>(c), n,
      [](auto& sum, const auto& a, const auto& b) __attribute__((always_inline)) { sum += a * b; });
}
template <class Stored, class Number>
[[gnu::always_inline]] inline double squared(const void* x, const void* c, int64_t n,
                                             double scale) {
  const auto s = static_cast<Number>(scale);
  return sum(
      static_cast<const Stored*>(x), static_cast<const Number*>(c),
      n, [s](auto& sum, const auto& a, const auto& b) __attribute__((always_inline)) {
        sum += (a * s - b) * (a * s - b);
      });
}

DISTAL_CLONES double dot_f32(const void* x, const void* c, int64_t n) {
  return dot<float, float>(x, c, n);
}
DISTAL_CLONES double dot_f64(const void* x, const void* c, int64_t n) {
  return dot<double, double>(x, c, n);
}
DISTAL_CLONES double dot_bf16(const void* x, const void* c, int64_t n) {
  return dot<uint16_t, float>(x, c, n);
}
DISTAL_CLONES double squared_f32(const void* x, const void* c, int64_t n, double scale) {
  return squared<float, float>(x, c, n, scale);
}
DISTAL_CLONES double squared_f64(const void* x, const void* c, int64_t n, double scale) {
  return squared<double, double>(x, c, n, scale);
}
DISTAL_CLONES double squared_bf16(const void* x, const void* c, int64_t n, double scale) {
  return squared<uint16_t, float>(x, c, n, scale);
}

const void* row_of(const torch::Tensor& points, int64_t row) {
  return static_cast<const char*>(points.const_data_ptr()) +
         row * points.size(1) * static_cast<int64_t>(points.element_size());
}

double unit_scale(double squared_norm) { return 1 / std::max(std::sqrt(squared_norm), 1e-12); }

// Uniform in (0, 1), from the draw's key and the row alone.
double uniform_of(uint64_t key, int64_t row) {
  return (static_cast<double>(mix64(key + static_cast<uint64_t>(row) * 0x9e3779b97f4a7c15ULL) >>
                              11) +
          0.5) *
         0x1p-53;
}

void raise(std::atomic<double>& most, double value) {
  for (double now = most.load(std::memory_order_relaxed);
       now < value && !most.compare_exchange_weak(now, value, std::memory_order_relaxed);) {
  }
}

}  // namespace

const NearestCentre::Arithmetic& NearestCentre::arithmetic_of(const torch::Tensor& points) {
  static const Arithmetic f32{torch::kFloat32, dot_f32, squared_f32};
  static const Arithmetic f64{torch::kFloat64, dot_f64, squared_f64};
  static const Arithmetic bf16{torch::kFloat32, dot_bf16, squared_bf16};
  const auto type = points.scalar_type();
  expect(type == torch::kFloat32 || type == torch::kFloat64 || type == torch::kBFloat16,
         "NearestCentre takes float32, float64 and bfloat16");
  return type == torch::kFloat32 ? f32 : type == torch::kFloat64 ? f64 : bf16;
}

NearestCentre::NearestCentre(Factors points, bool unit) : points_(std::move(points)), unit_(unit) {
  expect(!points_.empty() && !(unit && points_.size() > 1),
         "NearestCentre gets points, of length 1 in one factor only");
  const int64_t rows = points_.front().size(0);
  for (auto& factor : points_) {
    expect(factor.dim() == 2 && factor.size(0) == rows && factor.size(1) <= kWidest,
           "NearestCentre gets as many rows of each factor, of at most 65536 numbers");
    factor = factor.contiguous();
    arithmetic_.push_back(&arithmetic_of(factor));
    centres_.push_back(torch::empty({0, factor.size(1)}, arithmetic_.back()->centres));
  }
  bound_.assign(rows, std::numeric_limits<double>::infinity());
  seen_.assign(rows, 0);
  if (!unit && points_.size() == 1) return;
  scale_.resize(rows);
  at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      scale_[row] = unit ? unit_scale(norm(row)) : norm(row);
  });
}

double NearestCentre::norm(const torch::Tensor& points, int64_t row) {
  static const std::vector<double> zeros(kWidest);
  return arithmetic_of(points).squared(row_of(points, row), zeros.data(), points.size(1), 1);
}

double NearestCentre::norm(int64_t row) const {
  double product = 1;
  for (const auto& factor : points_) product *= norm(factor, row);
  return product;
}

torch::Tensor NearestCentre::squared_norm() const {
  const auto norms = torch::empty({size()}, torch::kFloat64);
  auto* to = norms.mutable_data_ptr<double>();
  at::parallel_for(0, size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) to[row] = norm(row);
  });
  return norms;
}

double NearestCentre::distance(int64_t row, int64_t centre) const {
  const auto x = [&](size_t f) { return row_of(points_[f], row); };
  const auto c = [&](size_t f) { return row_of(centres_[f], centre); };
  if (points_.size() == 1)
    return arithmetic_[0]->squared(x(0), c(0), points_[0].size(1), unit_ ? scale_[row] : 1);
  double product = 1;
  for (size_t f = 0; f < points_.size(); ++f)
    product *= arithmetic_[f]->dot(x(f), c(f), points_[f].size(1));
  return std::max(scale_[row] + centre_norm_[centre] - 2 * product, 0.0);
}

void NearestCentre::add_row(int64_t row) {
  Factors centre;
  for (const auto& factor : points_) centre.push_back(factor.narrow(0, row, 1));
  add(centre);
  bound_[row] = -1;
  seen_[row] = kCentre;
}

// Norms are computed as those of the points are, so that a point equals its copy to the last bit.
void NearestCentre::add(const Factors& centres) {
  const int64_t more = centres.front().size(0);
  if (more == 0) return;
  for (size_t f = 0; f < centres_.size(); ++f) {
    auto& all = centres_[f];
    if (count_ + more > all.size(0))
      all = torch::cat({all, all.new_empty({std::max(count_ + more, 2 * all.size(0)) - all.size(0),
                                            all.size(1)})});
    all.narrow(0, count_, more).copy_(centres[f]);
  }
  for (int64_t c = count_; c < count_ + more; ++c) {
    double product = 1;
    for (const auto& factor : centres_) product *= norm(factor, c);
    if (unit_)
      centres_.front()[c].mul_(unit_scale(product));
    else
      centre_norm_.push_back(product);
  }
  count_ += more;
}

// Looks at further centres until the row knows all of them, or its bound falls below `enough`.
// Whether it knows all.
bool NearestCentre::up_to_date(int64_t row, double enough) {
  for (; seen_[row] < count_; ++seen_[row]) {
    if (bound_[row] < enough) return false;
    bound_[row] = std::min(bound_[row], distance(row, seen_[row]));
  }
  return true;
}

// The row of the largest value, at random among equal ones; -1 where none has any. value(row, bar):
// what the row is worth, exactly where that is `bar` or more, else anything below. `least`: no row
// is the answer that is worth less.
template <class Value>
int64_t NearestCentre::best(const Value& value, double least, Random& random) const {
  std::atomic<double> most = least;
  std::mutex mutex;
  std::vector<int64_t> rows;
  double found = kNone;
  const auto merge = [&](double mine, const std::vector<int64_t>& of_mine) {
    const std::lock_guard lock(mutex);
    if (mine > found) {
      found = mine;
      rows.clear();
    }
    if (mine == found) rows.insert(rows.end(), of_mine.begin(), of_mine.end());
  };
  at::parallel_for(0, size(), kGrain, [&](int64_t begin, int64_t end) {
    double mine = kNone;
    std::vector<int64_t> of_mine;
    for (int64_t row = begin; row < end; ++row) {
      check_now_and_then(row);
      const double bar = std::max(mine, most.load(std::memory_order_relaxed));
      const double worth = value(row, bar);
      if (worth < bar || worth == kNone) continue;
      if (worth > mine) {
        mine = worth;
        of_mine.clear();
        raise(most, worth);
      }
      of_mine.push_back(row);
    }
    if (!of_mine.empty()) merge(mine, of_mine);
  });
  if (rows.empty()) return -1;
  std::sort(rows.begin(), rows.end());
  return rows[random.below(std::ssize(rows))];
}

int64_t NearestCentre::farthest(Random& random) {
  double least = kNone;
  if (count_ > 0 &&
      size() >
          0) {  // what had the largest bound is likely to be far still: most others need no look
    const auto row = std::max_element(bound_.begin(), bound_.end()) - bound_.begin();
    if (up_to_date(row, kNone) && bound_[row] >= 0) least = bound_[row];
  }
  return best(
      [this](int64_t row, double bar) {
        return bound_[row] >= std::max(bar, 0.0) && up_to_date(row, bar) ? bound_[row] : kNone;
      },
      least, random);
}

int64_t NearestCentre::draw(Random& random, const torch::Tensor& weights) {
  const auto all_weights =
      weights.defined() ? weights.to(torch::kFloat64).contiguous() : torch::Tensor();
  const double* weight = weights.defined() ? all_weights.const_data_ptr<double>() : nullptr;
  const uint64_t key = random();
  return best(
      [&](int64_t row, double bar) {
        if (seen_[row] == kCentre) return kNone;
        const double w = weight != nullptr ? weight[row] : 1;
        const double u = uniform_of(key, row);
        if (count_ == 0) return w / -std::log1p(-u);
        if (w * bound_[row] < bar * u) return kNone;  // -log(1 - u) >= u
        const double clock = -std::log1p(-u);
        if (w <= 0) return 0.0;
        return up_to_date(row, bar * clock / w) ? w * bound_[row] / clock : kNone;
      },
      0, random);
}

torch::Tensor NearestCentre::squared_distance() {
  at::parallel_for(0, size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      check_now_and_then(row);
      up_to_date(row, kNone);
    }
  });
  return torch::tensor(bound_, torch::kFloat64);
}

}  // namespace distal
