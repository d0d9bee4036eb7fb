#include "distal/models/convolution.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include "distal/base/error.h"
#include "distal/models/depthwise.h"

namespace distal {
namespace {

at::Tensor plain(const at::Tensor& input, const at::Tensor& w, const at::Tensor& b,
                 at::IntArrayRef stride, at::IntArrayRef padding, int64_t groups) {
  const std::vector<int64_t> dilation(stride.size(), 1);
  // LibTorch 2.13 on AVX2 writes past its buffers here, in float32, when the input is channels
  // last.
  const auto kernel = w.sizes().slice(2);
  const bool point =
      std::all_of(kernel.begin(), kernel.end(), [](int64_t extent) { return extent == 1; });
  const auto x = point && input.size(1) < 8 && stride.back() > 1 ? input.contiguous() : input;
  return stride.size() == 2 ? at::conv2d(x, w, b, stride, padding, dilation, groups)
                            : at::conv3d(x, w, b, stride, padding, dilation, groups);
}

// Which taps of a temporal kernel meet the frames of a clip: those of output frame `to` from `tap`
// on meet the frames from `frame` on.
struct Taps1d {
  int64_t frames, kernel, stride, padding;
  int64_t outputs() const { return (frames + 2 * padding - kernel) / stride + 1; }
  template <class Visit>
  void each(const Visit& visit) const {  // (to, frame, tap, how many)
    for (int64_t to = 0; to < outputs(); ++to) {
      const int64_t start = to * stride - padding;
      const int64_t frame = std::max<int64_t>(start, 0);
      const int64_t tap = frame - start;
      const int64_t count = std::min(frames - frame, kernel - tap);
      if (count > 0) visit(to, frame, tap, count);
    }
  }
};

// The weight of a convolution in another dtype, and with time in its channels where `frames` is not
// 0: [O, C, kT, kH, kW] to [O * T', C * T, kH, kW].
struct CastWeight : torch::autograd::Function<CastWeight> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& w,
                            at::ScalarType type, int64_t frames, int64_t stride, int64_t padding) {
    context->saved_data["type"] = w.scalar_type();
    context->saved_data["sizes"] = w.sizes().vec();
    context->saved_data["taps"] = std::vector<int64_t>{frames, stride, padding};
    if (frames == 0) return w.to(type);
    const Taps1d taps{frames, w.size(2), stride, padding};
    const auto folded =
        at::zeros({w.size(0), taps.outputs(), w.size(1), frames, w.size(3), w.size(4)},
                  w.options().dtype(type));
    taps.each([&](int64_t to, int64_t frame, int64_t tap, int64_t count) {
      folded.select(1, to).narrow(2, frame, count).copy_(w.narrow(2, tap, count));
    });
    return folded.flatten(2, 3).flatten(0, 1);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const auto fold = context->saved_data["taps"].toIntVector();
    const auto options = gradients[0].options().dtype(context->saved_data["type"].toScalarType());
    at::Tensor gradient;
    if (fold[0] == 0) {
      gradient = at::empty(sizes, options).copy_(gradients[0]);
    } else {
      gradient = at::zeros(sizes, options);
      const Taps1d taps{fold[0], sizes[2], fold[1], fold[2]};
      const auto parts =
          gradients[0].unflatten(0, {sizes[0], taps.outputs()}).unflatten(2, {sizes[1], fold[0]});
      taps.each([&](int64_t to, int64_t frame, int64_t tap, int64_t count) {
        gradient.narrow(2, tap, count).add_(parts.select(1, to).narrow(2, frame, count));
      });
    }
    return {gradient, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor cast(const at::Tensor& tensor, at::ScalarType type) {
  return !tensor.defined() || tensor.scalar_type() == type ? tensor : tensor.to(type);
}

at::Tensor time_in_channels(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                            at::IntArrayRef stride, at::IntArrayRef padding, int64_t groups) {
  const int64_t outputs = Taps1d{x.size(2), w.size(2), stride[0], padding[0]}.outputs();
  const auto folded = CastWeight::apply(w, x.scalar_type(), x.size(2), stride[0], padding[0]);
  const auto bias = b.defined() ? b.repeat_interleave(outputs) : b;
  return plain(x.flatten(1, 2), folded, cast(bias, x.scalar_type()), stride.slice(1),
               padding.slice(1), groups)
      .unflatten(1, {w.size(0), outputs});
}

bool strided(at::IntArrayRef stride) { return stride.back() > 1 || stride[stride.size() - 2] > 1; }

}  // namespace

at::Tensor convolution(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                       at::IntArrayRef stride, at::IntArrayRef padding, int64_t groups) {
  const auto is = [&](at::ScalarType input, at::ScalarType weight) {
    return x.scalar_type() == input && w.scalar_type() == weight;
  };
  expect(!x.is_cpu() || x.scalar_type() == w.scalar_type() || is(at::kBFloat16, at::kFloat),
         "a convolution's input has the dtype of its weight, or bfloat16 beside float32");
  if (!x.is_cpu() || torch::jit::tracer::isTracing())
    return plain(x, cast(w, x.scalar_type()), cast(b, x.scalar_type()), stride, padding, groups);
  const bool video = stride.size() == 3;
  if (!b.defined() && (video || (x.scalar_type() == at::kBFloat16 && strided(stride))) &&
      depthwise_fits(x, w, groups))
    return depthwise(x, w, stride, padding);
  if (groups > 1 && groups == x.size(1) && groups == w.size(0) &&
      x.scalar_type() == at::kBFloat16 && strided(stride))
    return convolution(x.to(at::kFloat), cast(w, at::kFloat), cast(b, at::kFloat), stride, padding,
                       groups)
        .to(at::kBFloat16);
  if (video && x.size(2) < w.size(2) && x.size(2) + 2 * padding[0] >= w.size(2))
    return time_in_channels(x, w, b, stride, padding, groups);
  const auto weight =
      w.scalar_type() == x.scalar_type() ? w : CastWeight::apply(w, x.scalar_type(), 0, 0, 0);
  return plain(x, weight, cast(b, x.scalar_type()), stride, padding, groups);
}

}  // namespace distal
