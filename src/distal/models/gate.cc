#include "distal/models/gate.h"

#include <fstream>
#include <limits>
#include <mutex>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include "distal/base/error.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"

namespace distal {
namespace {

// Drawn once and repeated, which is quicker. A prime period falls on no row.
at::Tensor noise(at::IntArrayRef sizes, uint64_t seed, bool channels_last) {
  constexpr int64_t kPeriod = 65521;
  const int64_t count = c10::multiply_integers(sizes);
  const auto drawn = at::randn({kPeriod}, at::make_generator<at::CPUGeneratorImpl>(seed),
                               at::TensorOptions(at::kFloat));
  const auto x = drawn.repeat({count / kPeriod + 1}).narrow(0, 0, count).view(sizes);
  if (!channels_last) return x;
  return x.contiguous(sizes.size() == 4 ? at::MemoryFormat::ChannelsLast
                                        : at::MemoryFormat::ChannelsLast3d);
}

// While it lives, a convolution computes with fixed weights that ask for a gradient; the net's own
// are not touched.
class TrialWeights {
 public:
  explicit TrialWeights(Conv& conv) : conv_(conv), weight_(conv.weight), bias_(conv.bias) {
    const double scale =
        1 / std::sqrt(static_cast<double>(weight_[0].numel()));  // of a fresh layer
    conv.weight = drawn(weight_, 3, scale);
    if (bias_.defined()) conv.bias = drawn(bias_, 4, scale);
  }
  ~TrialWeights() {
    conv_.weight = weight_;
    conv_.bias = bias_;
  }
  TrialWeights(const TrialWeights&) = delete;

 private:
  static at::Tensor drawn(const at::Tensor& like, uint64_t seed, double scale) {
    return (noise(like.sizes(), seed, false) * scale).to(like.scalar_type()).requires_grad_();
  }
  Conv& conv_;
  at::Tensor weight_, bias_;
};

struct Pass {  // of one convolution: output, then the gradients of input and parameters
  std::vector<at::Tensor> tensors;
};

// Memory freed here is what a kernel that forgets to write its result will return.
void poison(const std::vector<at::Tensor>& like) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<at::Tensor> held;
  for (const auto& tensor : like) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (int copy = 0; copy < 2; ++copy)
        held.push_back(at::full({tensor.numel()}, kNan, at::TensorOptions(type)));
    }
  }
}

// `upstream`, the gradient of the output, is drawn where it is undefined.
Pass run(Conv& conv, const at::Tensor& x, at::Tensor& upstream, bool bf16) {
  const at::AutoGradMode with_gradients(true);
  auto leaf = x.detach().requires_grad_();
  std::vector<at::Tensor> inputs = {leaf, conv.weight};
  if (conv.bias.defined()) inputs.push_back(conv.bias);
  at::Tensor y;
  if (bf16) {
    const Bf16Scope scope;
    y = conv.forward(leaf);
  } else {
    y = conv.forward(leaf);
  }
  if (!upstream.defined()) upstream = noise(y.sizes(), 2, !y.is_contiguous());
  Pass pass{{y.detach()}};
  for (const auto& gradient : torch::autograd::grad({y}, inputs, {upstream.to(y.scalar_type())}))
    pass.tensors.push_back(gradient);
  return pass;
}

double relative_error(const at::Tensor& got, const at::Tensor& wanted) {
  const double error = (got.to(at::kFloat) - wanted).norm().item<double>();
  const double size = wanted.norm().item<double>();
  if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
  return size > 0 ? error / size : error;
}

void compare(const Conv::Call& call, GateReport::Row& row) {
  Conv& conv = *call.conv;
  const TrialWeights weights(conv);
  const auto x = noise(call.input, 1, call.channels_last);
  at::Tensor upstream;
  const Pass exact = run(conv, x, upstream, false);
  {
    const torch::NoGradGuard
        no_grad;  // a frozen layer may take another way than one that is trained
    const Bf16Scope scope;
    row.output_error = relative_error(conv.forward(x), exact.tensors[0]);
  }
  for (int repeat = 0; repeat < 2; ++repeat) {  // uninitialised memory may look right once
    poison(exact.tensors);
    const Pass rounded = run(conv, x, upstream, true);
    for (size_t i = 0; i < exact.tensors.size(); ++i) {
      double& worst = i == 0 ? row.output_error : i == 1 ? row.input_error : row.parameter_error;
      worst = std::max(worst, relative_error(rounded.tensors[i], exact.tensors[i]));
    }
  }
}

// The same for every network that makes the call, so once per process is enough; faults of tests
// are tried anew.
void compare_once(const Conv::Call& call, GateReport::Row& row) {
  static std::mutex mutex;
  static std::map<std::string, GateReport::Row> known;  // for its errors
  const std::lock_guard lock(mutex);
  const std::string key =
      fmt::format("{}, {}, {} threads", row.call, c10::toString(call.conv->weight.scalar_type()),
                  at::get_num_threads());
  const auto at = Conv::bf16_fault() ? known.end() : known.find(key);
  if (at == known.end()) {
    compare(call, row);
  } else {
    row.output_error = at->second.output_error;
    row.input_error = at->second.input_error;
    row.parameter_error = at->second.parameter_error;
  }
  if (!Conv::bf16_fault()) known.emplace(key, row);
}

std::string describe(const Conv::Call& call) {
  const ConvShape& shape = call.conv->shape();
  return fmt::format("input [{}]{}, weight [{}], stride [{}], padding {}, groups {}{}",
                     fmt::join(call.input, ", "), call.channels_last ? " channels last" : "",
                     fmt::join(call.conv->weight.sizes(), ", "), fmt::join(shape.stride, ", "),
                     shape.same ? "same" : fmt::format("[{}]", fmt::join(shape.padding, ", ")),
                     shape.groups, shape.bias ? ", bias" : "");
}

std::vector<Conv::Call> calls_of(Net& net, const std::vector<int64_t>& clips) {
  const torch::NoGradGuard no_grad;
  std::vector<Conv::Call> calls;
  const bool training = net.is_training();
  net.eval();  // the batch statistics stay as they are
  Conv::calls() = &calls;
  try {
    net.forward(noise(clips, 0, false));
  } catch (...) {
    Conv::calls() = nullptr;
    net.train(training);
    throw;
  }
  Conv::calls() = nullptr;
  net.train(training);
  return calls;
}

}  // namespace

int64_t GateReport::unsafe() const {
  return std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.safe; });
}

std::string GateReport::text() const {
  std::string text = fmt::format(
      "bf16 gate: {} distinct convolutions compared with float32, {} of them computed in float32",
      rows.size(), unsafe());
  for (const auto& row : rows) {
    if (row.safe) continue;
    text += fmt::format(
        "\n  {}{}: {} (errors: output {:.2g}, input gradient {:.2g}, parameter gradient {:.2g})",
        row.layer, row.layers > 1 ? fmt::format(" and {} like it", row.layers - 1) : "", row.call,
        row.output_error, row.input_error, row.parameter_error);
  }
  return text;
}

bool cpu_has_bf16() {
  static const bool has = [] {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
      if (line.starts_with("flags"))
        return line.find("avx512_bf16") != std::string::npos ||
               line.find("amx_bf16") != std::string::npos;
    }
    return false;
  }();
  return has;
}

GateReport gate(Net& net, const std::vector<int64_t>& clips, double tolerance) {
  std::map<const torch::nn::Module*, std::string> names;
  for (const auto& row : net.named_modules("", /*include_self=*/false))
    names[row.value().get()] = row.key();
  GateReport report;
  std::map<std::string, size_t> known;
  for (const auto& call : calls_of(net, clips)) {
    const std::string text = describe(call);
    const auto [place, fresh] = known.emplace(text, report.rows.size());
    if (fresh) {
      report.rows.push_back({names[call.conv], text});
      auto& row = report.rows.back();
      call.conv->set_full_precision(false);
      compare_once(call, row);
      row.safe = std::max({row.output_error, row.input_error, row.parameter_error}) <= tolerance;
    } else {
      ++report.rows[place->second].layers;
    }
    call.conv->set_full_precision(!report.rows[place->second].safe);
  }
  return report;
}

Bf16Scope::Bf16Scope(at::DeviceType device)
    : device_(device), was_enabled_(at::autocast::is_autocast_enabled(device)) {
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::increment_nesting();
}

Bf16Scope::~Bf16Scope() {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
}

}  // namespace distal
