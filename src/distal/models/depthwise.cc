#include "distal/models/depthwise.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "distal/base/clones.h"
#include "distal/base/error.h"

namespace distal {
namespace {

constexpr int64_t kLanes = 16;
typedef float Lane16 __attribute__((vector_size(64)));
typedef uint32_t Words16 __attribute__((vector_size(64)));
typedef uint16_t Halves16 __attribute__((vector_size(32)));

[[gnu::always_inline]] inline void load16(const float* from, Lane16& to) {
  std::memcpy(&to, from, sizeof to);
}
[[gnu::always_inline]] inline void store16(const Lane16& from, float* to) {
  std::memcpy(to, &from, sizeof from);
}
// bfloat16 is the upper half of a float32.
[[gnu::always_inline]] inline void load16(const uint16_t* from, Lane16& to) {
  Halves16 halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words16 words = __builtin_convertvector(halves, Words16) << 16;
  std::memcpy(&to, &words, sizeof to);
}
// To the nearest, ties to even; a NaN stays one.
[[gnu::always_inline]] inline void store16(const Lane16& from, uint16_t* to) {
  Words16 words;
  std::memcpy(&words, &from, sizeof words);
  const Words16 rounded = words + 0x7fff + ((words >> 16) & 1);
  const Halves16 halves =
      __builtin_convertvector((from == from ? rounded : words | 0x400000) >> 16, Halves16);
  std::memcpy(to, &halves, sizeof halves);
}

struct Tap {
  int64_t from, weight;  // offsets of the first channel
};

// out[c] = sum of from[tap.from + c] * weight[tap.weight + c]. The last lanes overlap those before.
template <class Stored>
[[gnu::always_inline]] inline void sum_taps(const Stored* from, const float* weight,
                                            const Tap* taps, int64_t count, int64_t channels,
                                            Stored* out) {
  for (int64_t block = 0; block < channels; block += kLanes) {
    const int64_t c = std::min(block, channels - kLanes);
    Lane16 sum = {};
    for (int64_t i = 0; i < count; ++i) {
      Lane16 x, w;
      load16(from + taps[i].from + c, x);
      load16(weight + taps[i].weight + c, w);
      sum += x * w;
    }
    store16(sum, out + c);
  }
}

// sum[c] += a[i * a_step + c] * b[i * b_step + c] over `count` i, for 16 channels.
template <class Stored>
[[gnu::always_inline]] inline void add_products(const Stored* a, int64_t a_step, const Stored* b,
                                                int64_t b_step, int64_t count, float* sums) {
  Lane16 sum;
  load16(sums, sum);
  for (int64_t i = 0; i < count; ++i) {
    Lane16 x, y;
    load16(a + i * a_step, x);
    load16(b + i * b_step, y);
    sum += x * y;
  }
  store16(sum, sums);
}

DISTAL_WIDE_CLONES void sum_taps_of(const float* from, const float* weight, const Tap* taps,
                                    int64_t count, int64_t channels, float* out) {
  sum_taps(from, weight, taps, count, channels, out);
}
DISTAL_WIDE_CLONES void sum_taps_of(const uint16_t* from, const float* weight, const Tap* taps,
                                    int64_t count, int64_t channels, uint16_t* out) {
  sum_taps(from, weight, taps, count, channels, out);
}
DISTAL_WIDE_CLONES void add_products_of(const float* a, int64_t a_step, const float* b,
                                        int64_t b_step, int64_t count, float* sums) {
  add_products(a, a_step, b, b_step, count, sums);
}
DISTAL_WIDE_CLONES void add_products_of(const uint16_t* a, int64_t a_step, const uint16_t* b,
                                        int64_t b_step, int64_t count, float* sums) {
  add_products(a, a_step, b, b_step, count, sums);
}

// One dimension of a convolution.
struct Axis {
  int64_t inputs, kernel, stride, padding, dilation;
  bool fits() const { return inputs + 2 * padding > dilation * (kernel - 1); }
  int64_t outputs() const {
    return (inputs + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
  int64_t input(int64_t to, int64_t tap) const { return to * stride - padding + tap * dilation; }
};
struct Contribution {
  int64_t at, tap;
};
using Contributions = std::vector<std::vector<Contribution>>;  // to each place of what is computed,
                                                               // from places of what is read

Contributions from_inputs(const Axis& axis) {
  Contributions all(axis.outputs());
  for (int64_t to = 0; to < axis.outputs(); ++to) {
    for (int64_t tap = 0; tap < axis.kernel; ++tap) {
      if (const int64_t at = axis.input(to, tap); at >= 0 && at < axis.inputs)
        all[to].push_back({at, tap});
    }
  }
  return all;
}

Contributions from_outputs(const Axis& axis) {
  Contributions all(axis.inputs);
  for (int64_t to = 0; to < axis.outputs(); ++to) {
    for (int64_t tap = 0; tap < axis.kernel; ++tap) {
      if (const int64_t at = axis.input(to, tap); at >= 0 && at < axis.inputs)
        all[at].push_back({to, tap});
    }
  }
  return all;
}

struct Shape {
  int64_t clips, channels;
  Axis axes[3];  // time, height, width
  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};

// `steps`: three strides, three paddings, three dilations.
Shape shape_of(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef steps) {
  Shape shape{x.size(0), x.size(1), {}};
  for (int64_t d = 0; d < 3; ++d)
    shape.axes[d] = {x.size(2 + d), weight.size(2 + d), steps[d], steps[3 + d], steps[6 + d]};
  for (const Axis& axis : shape.axes)
    expect(axis.fits(), "a kernel is no longer than the padded input");
  return shape;
}

at::Tensor channels_last(at::IntArrayRef sizes, const at::Tensor& like) {
  return at::empty(sizes, like.options().memory_format(at::MemoryFormat::ChannelsLast3d));
}

template <class Stored>
void gather(const at::Tensor& from, const at::Tensor& weights, const Shape& shape,
            const Contributions (&parts)[3], at::Tensor& out) {
  const int64_t channels = shape.channels;
  const int64_t height = from.size(3);
  const int64_t width = from.size(4);
  const int64_t out_t = out.size(2);
  const int64_t out_h = out.size(3);
  const int64_t out_w = out.size(4);
  const auto* const source = static_cast<const Stored*>(from.const_data_ptr());
  const float* const weight = weights.const_data_ptr<float>();
  auto* const target = static_cast<Stored*>(out.mutable_data_ptr());
  at::parallel_for(0, shape.clips * out_t * out_h, 1, [&](int64_t begin, int64_t end) {
    std::vector<Tap> taps;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / (out_t * out_h);
      const int64_t t = row / out_h % out_t;
      const int64_t h = row % out_h;
      const Stored* clip = source + n * from.stride(0);
      for (int64_t w = 0; w < out_w; ++w) {
        const auto& across = parts[2][w];
        const bool as_before = w > 0 && across.size() == parts[2][w - 1].size() &&
                               !across.empty() && across[0].tap == parts[2][w - 1][0].tap;
        if (as_before) {
          clip += (across[0].at - parts[2][w - 1][0].at) * channels;
        } else {
          clip = source + n * from.stride(0);
          taps.clear();
          for (const auto& [at_t, tap_t] : parts[0][t]) {
            for (const auto& [at_h, tap_h] : parts[1][h]) {
              for (const auto& [at_w, tap_w] : across)
                taps.push_back(
                    {((at_t * height + at_h) * width + at_w) * channels,
                     ((tap_t * shape.axes[1].kernel + tap_h) * shape.axes[2].kernel + tap_w) *
                         channels});
            }
          }
        }
        sum_taps_of(clip, weight, taps.data(), std::ssize(taps), channels,
                    target + (row * out_w + w) * channels);
      }
    }
  });
}

// [clips, taps, C], each clip's part.
template <class Stored>
void weight_products(const at::Tensor& x, const at::Tensor& gradient, const Shape& shape,
                     at::Tensor& sums) {
  const auto& [time, height, width] = shape.axes;
  const int64_t channels = shape.channels;
  const int64_t blocks = (channels + kLanes - 1) / kLanes;
  const auto* const input = static_cast<const Stored*>(x.const_data_ptr());
  const auto* const output = static_cast<const Stored*>(gradient.const_data_ptr());
  float* const all = sums.mutable_data_ptr<float>();
  const Contributions times = from_inputs(time);
  const Contributions rows = from_inputs(height);
  at::parallel_for(0, shape.clips * blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> taps(shape.taps() * kLanes);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / blocks;
      const int64_t first = task % blocks * kLanes;
      const int64_t c = std::min(first, channels - kLanes);
      std::fill(taps.begin(), taps.end(), 0.f);
      for (int64_t t = 0; t < time.outputs(); ++t) {
        for (int64_t h = 0; h < height.outputs(); ++h) {
          for (const auto& [at_t, tap_t] : times[t]) {
            for (const auto& [at_h, tap_h] : rows[h]) {
              const Stored* const y = output + n * gradient.stride(0) +
                                      (t * height.outputs() + h) * width.outputs() * channels + c;
              const Stored* const from = input + n * x.stride(0) +
                                         (at_t * height.inputs + at_h) * width.inputs * channels +
                                         c;
              for (int64_t tap_w = 0; tap_w < width.kernel; ++tap_w) {
                const int64_t offset = width.input(0, tap_w);
                const int64_t low = offset >= 0 ? 0 : (-offset + width.stride - 1) / width.stride;
                const int64_t high = std::min(
                    width.outputs(),
                    offset >= width.inputs ? 0 : (width.inputs - 1 - offset) / width.stride + 1);
                if (low >= high) continue;
                add_products_of(
                    y + low * channels, channels, from + (low * width.stride + offset) * channels,
                    width.stride * channels, high - low,
                    taps.data() +
                        ((tap_t * height.kernel + tap_h) * width.kernel + tap_w) * kLanes);
              }
            }
          }
        }
      }
      for (int64_t tap = 0; tap < shape.taps(); ++tap)
        std::copy_n(taps.data() + tap * kLanes + (first - c), c + kLanes - first,
                    all + (n * shape.taps() + tap) * channels + first);
    }
  });
}

struct Depthwise : torch::autograd::Function<Depthwise> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const std::vector<int64_t>& steps) {
    const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast3d);
    context->save_for_backward({x, weight});
    context->saved_data["steps"] = steps;
    const Shape shape = shape_of(x, weight, steps);
    auto y = channels_last({shape.clips, shape.channels, shape.axes[0].outputs(),
                            shape.axes[1].outputs(), shape.axes[2].outputs()},
                           x);
    gather_any(x, weight, shape,
               {from_inputs(shape.axes[0]), from_inputs(shape.axes[1]), from_inputs(shape.axes[2])},
               y);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    expect(!at::GradMode::is_enabled(), "a depthwise convolution is differentiated once");
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast3d);
    const Shape shape = shape_of(x, weight, context->saved_data["steps"].toIntVector());
    at::Tensor of_input, of_weight;
    if (context->needs_input_grad(0)) {
      of_input = channels_last(x.sizes(), x);
      gather_any(
          dy, weight, shape,
          {from_outputs(shape.axes[0]), from_outputs(shape.axes[1]), from_outputs(shape.axes[2])},
          of_input);
    }
    if (context->needs_input_grad(1)) {
      auto sums =
          at::empty({shape.clips, shape.taps(), shape.channels},
                    x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
      x.scalar_type() == at::kFloat ? weight_products<float>(x, dy, shape, sums)
                                    : weight_products<uint16_t>(x, dy, shape, sums);
      of_weight = sums.sum(0).t().reshape(weight.sizes()).to(weight.scalar_type());
    }
    return {of_input, of_weight, at::Tensor()};
  }

 private:
  static void gather_any(const at::Tensor& from, const at::Tensor& weight, const Shape& shape,
                         const Contributions (&parts)[3], at::Tensor& out) {
    const at::Tensor weights =
        weight.to(at::kFloat).reshape({shape.channels, shape.taps()}).t().contiguous();
    from.scalar_type() == at::kFloat ? gather<float>(from, weights, shape, parts, out)
                                     : gather<uint16_t>(from, weights, shape, parts, out);
  }
};

}  // namespace

bool depthwise_fits(const at::Tensor& x, const at::Tensor& weight, int64_t groups) {
  const bool type = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.is_cpu() && type && groups == x.size(1) && groups == weight.size(0) && groups >= kLanes;
}

at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation) {
  const bool video = stride.size() == 3;
  const std::vector<int64_t> ones(stride.size(), 1);
  std::vector<int64_t> steps;
  for (const auto& [values, none] : {std::pair(stride, 1),
                                     {padding, 0},
                                     {dilation.empty() ? at::IntArrayRef(ones) : dilation, 1}}) {
    if (!video) steps.push_back(none);
    steps.insert(steps.end(), values.begin(), values.end());
  }
  if (video) return Depthwise::apply(x, weight, steps);
  return Depthwise::apply(x.unsqueeze(2), weight.unsqueeze(2), steps).squeeze(2);
}

}  // namespace distal
