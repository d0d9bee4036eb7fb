#include "distal/active/kernels.h"

#include <limits>
#include <numeric>
#include <queue>

#include <sys/mman.h>

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr int64_t kBlockQueries = 256;  // rows whose neighbours are looked for together
constexpr int64_t kBlockGains = 1024;   // rows whose gain is computed together at first
constexpr int64_t kBlockAgain = 64;     // and again

// A sum is finite only if every term is (or it overflows, which the slow way settles): one pass
// without a mask, in blocks.
void refuse_not_finite(const torch::Tensor& values, const char* strategy, const char* what,
                       int64_t first_row = 0) {
  if (values.numel() == 0) return;
  by_blocks(values.size(0), kBlockRows, [&](int64_t m, int64_t m_end) {
    const auto block = values.slice(0, m, m_end);
    if (std::isfinite(block.sum().item<double>())) return;
    const auto bad = torch::isfinite(block).all(1).logical_not().nonzero();
    if (bad.numel() == 0) return;
    fail("{}: row {} of the {} is not finite; leave the clip out of the pool or look for what "
         "broke its scores",
         strategy, first_row + m + bad[0].item<int64_t>(), what);
  });
}

torch::Tensor widened(const torch::Tensor& values) {
  return values.scalar_type() == torch::kBFloat16 ? values.to(torch::kFloat32) : values;
}

}  // namespace

torch::Tensor checked_probabilities(const PoolScores& scores, const char* strategy, int64_t begin,
                                    int64_t end) {
  if (!scores.logits.defined())
    fail("{}: needs the logits of the pool, and there are none", strategy);
  if (scores.logits.dim() != 2 || scores.logits.size(1) < 2)
    fail("{}: logits must be clips x classes with at least 2 classes", strategy);
  const auto p = scores.task->probabilities(scores.logits.slice(0, begin, end).to(torch::kFloat64));
  refuse_not_finite(p, strategy, "logits", begin);
  return p;
}

torch::Tensor stored_embeddings(const PoolScores& scores, const char* strategy) {
  if (!scores.embeddings.defined())
    fail("{}: needs the embeddings of the pool, and there are none", strategy);
  if (scores.embeddings.dim() != 2) fail("{}: embeddings must be clips x features", strategy);
  refuse_not_finite(scores.embeddings, strategy, "embeddings");
  return scores.embeddings;
}

torch::Tensor checked_embeddings(const PoolScores& scores, const char* strategy) {
  return widened(stored_embeddings(scores, strategy));
}

torch::Tensor checked_labelled_embeddings(const PoolScores& scores, const char* strategy) {
  const auto& labelled = scores.labelled_embeddings;
  const int64_t features = scores.embeddings.size(1);
  const auto type = widened(scores.embeddings.slice(0, 0, 0)).scalar_type();
  if (!labelled.defined() || labelled.numel() == 0) return torch::empty({0, features}, type);
  if (labelled.dim() != 2 || labelled.size(1) != features)
    fail(
        "{}: labelled embeddings have {} features, those of the pool {}; score both with one model",
        strategy, labelled.size(-1), features);
  refuse_not_finite(labelled, strategy, "labelled embeddings");
  return labelled.to(type);
}

std::vector<torch::Tensor> checked_passes(const PoolScores& scores, const char* strategy) {
  if (!scores.passes.defined())
    fail("{}: needs the logits of several passes over the pool, and there are none", strategy);
  const auto& all = scores.passes;
  if (all.dim() != 3 || all.size(0) < 2 || all.size(2) < 2)
    fail("{}: passes must be passes x clips x classes, with at least 2 passes and 2 classes",
         strategy);
  auto passes = all.unbind(0);
  for (const auto& pass : passes) refuse_not_finite(pass, strategy, "passes");
  return passes;
}

torch::Tensor checked_teacher(const PoolScores& scores, const char* strategy) {
  if (!scores.teacher.defined())
    fail("{}: needs a teacher's probabilities for the pool, and there are none", strategy);
  if (scores.logits.defined() && scores.teacher.sizes() != scores.logits.sizes())
    fail("{}: the teacher's probabilities must be clips x classes, as the logits are", strategy);
  refuse_not_finite(scores.teacher, strategy, "teacher's probabilities");
  return scores.teacher.to(torch::kFloat64);
}

torch::Tensor mutual_information(const Task& task, const std::vector<torch::Tensor>& passes) {
  torch::Tensor mean, entropy;
  for (const auto& pass : passes) {
    const auto p = task.probabilities(pass.to(torch::kFloat64));
    mean = mean.defined() ? mean.add_(p) : p.clone();
    entropy = entropy.defined() ? entropy.add_(task.entropy(p)) : task.entropy(p);
  }
  const auto count = static_cast<double>(passes.size());
  return task.entropy(mean / count) - entropy / count;
}

torch::Tensor products(const torch::Tensor& a, const torch::Tensor& b) {
  using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                            c10::string_view, c10::List<std::optional<at::Scalar>>,
                            std::optional<c10::string_view>);
  static const auto linear =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  const bool whole = a.size(0) > 0 && a.size(1) > 0 && b.size(0) > 0;
  if (!linear || !whole || a.scalar_type() != torch::kFloat32 || b.scalar_type() != torch::kFloat32)
    return a.mm(b.t());
  return linear->typed<Linear>().call(a.contiguous(), b.contiguous(), std::nullopt, "none",
                                      c10::List<std::optional<at::Scalar>>(), "");
}

torch::Tensor farthest_first(const PoolScores& scores, int64_t count, bool normalize, Random random,
                             const char* strategy) {
  NearestCentre nearest({stored_embeddings(scores, strategy)}, normalize);
  nearest.add({checked_labelled_embeddings(scores, strategy)});
  std::vector<int64_t> rows;
  while (std::ssize(rows) < std::min(count, nearest.size())) {
    rows.push_back(nearest.farthest(random));
    nearest.add_row(rows.back());
  }
  return torch::tensor(rows, torch::kInt64);
}

torch::Tensor unit_length(const torch::Tensor& points) {
  return points / points.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
}

void by_blocks(int64_t rows, int64_t size,
               const std::function<void(int64_t begin, int64_t end)>& work) {
  for (int64_t begin = 0; begin < rows; begin += size) {
    check_interrupted();
    work(begin, std::min(begin + size, rows));
  }
}

torch::Tensor in_large_pages(const torch::Tensor& like) {
  const size_t bytes = like.nbytes();
  void* const pages = bytes < (size_t{64} << 20) ? MAP_FAILED
                                                 : mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return torch::empty(like.sizes(), like.options());
  madvise(pages, bytes, MADV_HUGEPAGE);
  return torch::from_blob(
      pages, like.sizes(), [bytes](void* at) { munmap(at, bytes); }, like.options());
}

torch::Tensor shuffled_rows(int64_t n, Random& random) {
  return torch::tensor(random.permutation(n), torch::kInt64);
}

namespace {

// The smallest values seen of each row, as heaps with the largest of them first.
template <class Number>
class SmallestOfRows {
 public:
  SmallestOfRows(int64_t rows, int64_t kept)
      : kept_(kept),
        heaps_(rows * kept, std::numeric_limits<Number>::infinity()),
        largest_(rows, kept > 0 ? heaps_[0] : 0) {}

  // table [m, n]: of rows first .. first + m - 1, n values each.
  void see_rows(int64_t first, const torch::Tensor& table) {
    at::parallel_for(0, table.size(0), 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Number* values = table.const_data_ptr<Number>() + row * table.stride(0);
        for (int64_t i = 0; i < table.size(1); ++i) {
          if (values[i] < largest_[first + row]) replace(first + row, values[i]);
        }
      }
    });
  }
  // table [m, n]: of rows first .. first + n - 1, m values each.
  void see_columns(int64_t first, const torch::Tensor& table) {
    at::parallel_for(0, table.size(1), 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < table.size(0); ++i) {
        const Number* values = table.const_data_ptr<Number>() + i * table.stride(0);
        for (int64_t row = begin; row < end; ++row) {
          if (values[row] < largest_[first + row]) replace(first + row, values[row]);
        }
      }
    });
  }
  torch::Tensor sorted(const torch::Tensor& like) && {  // [rows, kept]
    const auto to = like.new_empty({std::ssize(largest_), kept_});
    for (int64_t at = 0; at < std::ssize(heaps_); at += kept_)
      std::sort_heap(heaps_.begin() + at, heaps_.begin() + at + kept_);
    std::copy(heaps_.begin(), heaps_.end(), to.template mutable_data_ptr<Number>());
    return to;
  }

 private:
  void replace(int64_t row, Number value) {
    const auto begin = heaps_.begin() + row * kept_;
    const auto end = begin + kept_;
    std::pop_heap(begin, end);
    *(end - 1) = value;
    std::push_heap(begin, end);
    largest_[row] = *begin;
  }
  int64_t kept_;
  std::vector<Number> heaps_, largest_;  // [rows, kept] [rows]
};

// Each distance once, for both its rows: blocks on and right of the diagonal.
template <class Number>
torch::Tensor neighbour_distances_of(const torch::Tensor& points, int64_t kept) {
  const int64_t n = points.size(0);
  const auto norms = points.square().sum(1);
  SmallestOfRows<Number> nearest(n, kept);
  by_blocks(n, kBlockQueries, [&](int64_t q, int64_t q_end) {
    const auto see = [&](int64_t m, int64_t m_end, bool own) {
      auto distance = products(points.slice(0, q, q_end), points.slice(0, m, m_end))
                          .mul_(-2)
                          .add_(norms.slice(0, m, m_end))
                          .add_(norms.slice(0, q, q_end).unsqueeze(1))
                          .clamp_min_(0);
      if (own)
        distance.diagonal().fill_(std::numeric_limits<double>::infinity());  // the rows themselves
      nearest.see_rows(q, distance);
      if (!own) nearest.see_columns(m, distance);
    };
    see(q, q_end, true);
    by_blocks(n - q_end, kBlockRows,
              [&](int64_t m, int64_t m_end) { see(q_end + m, q_end + m_end, false); });
  });
  return std::move(nearest).sorted(points);
}

}  // namespace

torch::Tensor neighbour_distances(const torch::Tensor& points, int64_t count) {
  const int64_t kept = std::clamp<int64_t>(count, 0, std::max<int64_t>(points.size(0) - 1, 0));
  const auto centred =
      points - points.mean(0, /*keepdim=*/true);  // distances do not change, cancellation shrinks
  return points.scalar_type() == torch::kFloat64 ? neighbour_distances_of<double>(centred, kept)
                                                 : neighbour_distances_of<float>(centred, kept);
}

torch::Tensor typicality(const torch::Tensor& points, int64_t neighbours, bool as_published) {
  const auto squared = neighbour_distances(points, neighbours);
  if (squared.size(1) == 0) return torch::zeros({points.size(0)}, points.options());
  return as_published ? 1 / (squared.mean(1) + 1e-5) : 1 / squared.sqrt().mean(1);
}

std::vector<int64_t> lazy_greedy(int64_t pool, int64_t count,
                                 const std::function<torch::Tensor(const torch::Tensor&)>& gains,
                                 const std::function<void(int64_t)>& take) {
  struct Bound {
    double gain;
    int64_t row, asked;  // how many rows were taken when it was computed
    bool operator<(const Bound& other) const {
      return gain != other.gain ? gain < other.gain : row > other.row;
    }
  };
  std::priority_queue<Bound> bounds;
  std::vector<int64_t> taken;
  const auto compute = [&](const std::vector<int64_t>& rows) {
    const auto values = gains(torch::tensor(rows, torch::kInt64)).to(torch::kFloat64).contiguous();
    for (size_t i = 0; i < rows.size(); ++i)
      bounds.push({values.const_data_ptr<double>()[i], rows[i], std::ssize(taken)});
  };
  by_blocks(pool, kBlockGains, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> rows(end - begin);
    std::iota(rows.begin(), rows.end(), begin);
    compute(rows);
  });
  const auto settled = [&](const Bound& bound) {
    return bound.asked == std::ssize(taken) || bound.gain <= 0;
  };
  while (std::ssize(taken) < std::min(count, pool)) {
    check_interrupted();
    std::vector<int64_t> stale;
    for (; !bounds.empty() && !settled(bounds.top()) && std::ssize(stale) < kBlockAgain;
         bounds.pop())
      stale.push_back(bounds.top().row);
    if (!stale.empty()) {
      compute(stale);
      continue;
    }
    taken.push_back(bounds.top().row);
    bounds.pop();
    take(taken.back());
  }
  return taken;
}

int64_t largest_row(const torch::Tensor& values, Random& random) {
  const auto largest = (values == values.max()).nonzero();
  expect(largest.size(0) > 0, "largest_row needs a value that is not NaN");
  return largest[random.below(largest.size(0))].item<int64_t>();
}

int64_t draw_row(const torch::Tensor& weights, Random& random) {
  const auto w = weights.to(torch::kFloat64).contiguous();
  const std::span<const double> values(w.const_data_ptr<double>(), static_cast<size_t>(w.numel()));
  double sum = 0;
  for (const double value : values) sum += std::max(value, 0.0);
  if (sum <= 0) return -1;
  const double target = random.uniform() * sum;
  double below = 0;
  int64_t last = -1;
  for (size_t row = 0; row < values.size(); ++row) {
    if (values[row] <= 0) continue;
    below += values[row];
    last = static_cast<int64_t>(row);
    if (below > target) break;
  }
  return last;
}

}  // namespace distal
