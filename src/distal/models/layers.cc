#include "distal/models/layers.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/models/convolution.h"
#include "distal/models/model.h"

namespace distal {
namespace {

thread_local Taps* taps = nullptr;

// Padding per dimension; `before` and `after` differ where TensorFlow's rule is not symmetric.
std::pair<std::vector<int64_t>, std::vector<int64_t>> same_padding(const ConvShape& shape,
                                                                   at::IntArrayRef sizes) {
  std::vector<int64_t> before, after;
  for (size_t d = 0; d < shape.kernel.size(); ++d) {
    const int64_t n = sizes[d + 2];
    const int64_t k = shape.kernel[d];
    const int64_t s = shape.stride[d];
    const int64_t total = std::max<int64_t>(((n + s - 1) / s - 1) * s + k - n, 0);
    before.push_back(total / 2);
    after.push_back(total - total / 2);
  }
  return {before, after};
}

at::Tensor pad(const at::Tensor& x, const std::vector<int64_t>& before,
               const std::vector<int64_t>& after) {
  std::vector<int64_t> amounts;  // last dimension first
  for (size_t d = before.size(); d-- > 0;) amounts.insert(amounts.end(), {before[d], after[d]});
  return at::constant_pad_nd(x, amounts);
}

// `back`: the gradient's way, in which each frame gives back what it took.
at::Tensor shifted(const at::Tensor& x, int64_t frames, int64_t fold, bool online, bool back) {
  auto out = at::empty_like(x);
  const auto view = [&](const at::Tensor& t) {
    return t.unflatten(0, {x.size(0) / frames, frames});  // [N, T, C, H, W]
  };
  const auto from = view(x);
  const auto to = view(out);
  const auto move = [&](int64_t channel, int64_t source, int64_t target, int64_t empty_frame) {
    const auto target_channels = to.narrow(2, channel, fold);
    target_channels.narrow(1, target, frames - 1)
        .copy_(from.narrow(2, channel, fold).narrow(1, source, frames - 1));
    target_channels.narrow(1, empty_frame, 1).zero_();
  };
  const auto take_next = [&](int64_t channel) { move(channel, 1, 0, frames - 1); };
  const auto take_previous = [&](int64_t channel) { move(channel, 0, 1, 0); };
  if (online) {
    back ? take_next(0) : take_previous(0);
  } else {
    take_next(back ? fold : 0);
    take_previous(back ? 0 : fold);
  }
  const int64_t moved = online ? fold : 2 * fold;
  const int64_t rest = x.size(1) - moved;
  to.narrow(2, moved, rest).copy_(from.narrow(2, moved, rest));
  return out;
}

// The same of operations that a trace can hold: no writing into parts of a tensor.
at::Tensor shifted_by_padding(const at::Tensor& x, int64_t frames, int64_t fold, bool online) {
  const auto clips = x.unflatten(0, {x.size(0) / frames, frames});  // [N, T, C, H, W]
  const auto padded = [&](int64_t channel,
                          int64_t before) {  // by one frame before, or behind where before is -1
    return at::constant_pad_nd(clips.narrow(2, channel, fold), {0, 0, 0, 0, 0, 0, before, -before});
  };
  const int64_t moved = online ? fold : 2 * fold;
  std::vector<at::Tensor> parts = {padded(0, online ? 1 : -1)};
  if (!online) parts.push_back(padded(fold, 1));
  parts.push_back(clips.narrow(2, moved, x.size(1) - moved));
  return at::cat(parts, 2).flatten(0, 1);
}

struct Shift : torch::autograd::Function<Shift> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            int64_t frames, int64_t fold, bool online) {
    context->saved_data["frames"] = frames;
    context->saved_data["fold"] = fold;
    context->saved_data["online"] = online;
    return shifted(x, frames, fold, online, /*back=*/false);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    auto& saved = context->saved_data;
    return {shifted(gradients[0], saved["frames"].toInt(), saved["fold"].toInt(),
                    saved["online"].toBool(), /*back=*/true),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void fill(const Conv& conv, const at::Generator& generator) {
  const ConvShape& shape = conv.shape();
  const auto& w = conv.weight;
  const int64_t extent = w[0][0].numel();
  const int64_t fan = shape.normed ? shape.out * extent / shape.groups : w.size(1) * extent;
  w.normal_(0, std::sqrt(shape.gain / static_cast<double>(fan)), generator);
  if (conv.bias.defined()) conv.bias.zero_();
}

void fill(const BatchNorm& norm) {
  norm.weight.fill_(1);
  norm.bias.zero_();
  norm.running_mean.zero_();
  norm.running_var.fill_(1);
}

}  // namespace

ConvShape cube(int dims, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  const size_t n = static_cast<size_t>(dims);
  ConvShape shape;
  shape.in = in;
  shape.out = out;
  shape.kernel.assign(n, kernel);
  shape.stride.assign(n, stride);
  shape.padding.assign(n, kernel / 2);
  return shape;
}

int64_t rounded_channels(double channels) {
  const int64_t multiple = std::max<int64_t>(8, static_cast<int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(multiple) < 0.9 * channels ? multiple + 8 : multiple;
}

Conv::Conv(ConvShape shape) : shape_(std::move(shape)) {
  std::vector<int64_t> sizes = {shape_.out, shape_.in / shape_.groups};
  sizes.insert(sizes.end(), shape_.kernel.begin(), shape_.kernel.end());
  weight = register_parameter("weight", at::empty(sizes));
  if (shape_.bias) bias = register_parameter("bias", at::empty({shape_.out}));
}

std::vector<Conv::Call>*& Conv::calls() {
  static thread_local std::vector<Call>* calls = nullptr;
  return calls;
}

std::function<at::Tensor(const Conv&, const at::Tensor&, const at::Tensor&)>& Conv::bf16_fault() {
  static std::function<at::Tensor(const Conv&, const at::Tensor&, const at::Tensor&)> fault;
  return fault;
}

at::Tensor Conv::convolve(const at::Tensor& input, const at::Tensor& w, const at::Tensor& b) const {
  auto x = input;
  auto padding = shape_.padding;
  if (shape_.same) {
    const auto [before, after] = same_padding(shape_, x.sizes());
    padding = before;
    if (before != after) {
      x = pad(x, before, after);
      padding.assign(before.size(), 0);
    }
  }
  return convolution(x, w, b, shape_.stride, padding, shape_.groups);
}

at::Tensor Conv::forward(const at::Tensor& x) {
  if (calls()) {
    const bool last = shape_.kernel.size() == 2
                          ? x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous()
                          : x.is_contiguous(at::MemoryFormat::ChannelsLast3d) && !x.is_contiguous();
    calls()->push_back({this, x.sizes().vec(), last});
  }
  if (!x.is_cpu() || !at::autocast::is_autocast_enabled(at::kCPU)) return convolve(x, weight, bias);
  const c10::impl::ExcludeDispatchKeyGuard off(c10::autocast_dispatch_keyset);
  if (full_precision_ || weight.scalar_type() != at::kFloat)
    return convolve(x.to(weight.scalar_type()), weight, bias);
  return convolve(x.to(at::kBFloat16), bf16_fault() ? bf16_fault()(*this, weight, x) : weight,
                  bias);
}

BatchNorm::BatchNorm(int64_t channels) {
  weight = register_parameter("weight", at::empty({channels}));
  bias = register_parameter("bias", at::empty({channels}));
  running_mean = register_buffer("running_mean", at::empty({channels}));
  running_var = register_buffer("running_var", at::empty({channels}));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  const bool use_batch = is_training() && weight.requires_grad();
  return at::batch_norm(x, weight, bias, running_mean, running_var, use_batch, 0.1, 1e-5,
                        /*cudnn_enabled=*/true);
}

Linear::Linear(int64_t in, int64_t out) {
  weight = register_parameter("weight", at::empty({out, in}));
  bias = register_parameter("bias", at::empty({out}));
}

at::Tensor Linear::forward(const at::Tensor& x) { return at::linear(x, weight, bias); }

at::Tensor max_pool(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride,
                    at::IntArrayRef padding) {
  const c10::impl::ExcludeDispatchKeyGuard off(c10::autocast_dispatch_keyset);
  return at::max_pool3d(x, kernel, stride, padding);
}

at::Tensor temporal_shift(const at::Tensor& x, int64_t frames, int64_t div, bool online) {
  expect(x.dim() == 4 && x.size(0) % frames == 0,
         "temporal_shift gets whole clips, frame by frame");
  const int64_t fold = x.size(1) / div;
  if (fold == 0) return x;
  return torch::jit::tracer::isTracing() ? shifted_by_padding(x, frames, fold, online)
                                         : Shift::apply(x, frames, fold, online);
}

void ClipLimits::check(const at::Tensor& clips) const {
  const bool fits = clips.dim() == 5 && clips.size(1) == 3 && clips.is_floating_point() &&
                    clips.size(2) >= 1 && clips.size(2) % frames_multiple == 0 &&
                    std::min(clips.size(3), clips.size(4)) >= smallest_px;
  if (fits) return;
  fail("{}: cannot take clips {} [{}]; it takes float32 [N, 3, T, H, W] with T a multiple of {} "
       "and H and W at least {} pixels",
       net, c10::toString(clips.scalar_type()), fmt::join(clips.sizes(), ", "), frames_multiple,
       smallest_px);
}

void initialise(Net& net, const Random& random) {
  const torch::NoGradGuard no_grad;
  for (const auto& module : net.named_modules("", /*include_self=*/false)) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(random.stream(module.key())());
    if (const auto* conv = module.value()->as<Conv>()) fill(*conv, generator);
    if (const auto* norm = module.value()->as<BatchNorm>()) fill(*norm);
    if (const auto* linear = module.value()->as<Linear>()) {
      linear->weight.normal_(0, 0.01, generator);
      linear->bias.zero_();
    }
  }
}

Taps::Taps() { taps = this; }
Taps::~Taps() { taps = nullptr; }

void tap(const std::string& name, const at::Tensor& map) {
  if (taps) taps->maps[name] = map;
}

}  // namespace distal
