#include "distal/train/precision.h"

#include <ATen/Context.h>

#include "distal/models/device.h"
#include "distal/models/model.h"

namespace distal {
namespace {

bool computes_in_bf16(const torch::Device& device) {
  if (device.is_cpu()) return cpu_has_bf16();
  return device.is_cuda() && at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
}

}  // namespace

Precision::Precision(Net& net, const std::string& wanted)
    : net_(net),
      device_(device_of(net)),
      bf16_(wanted == "bf16" || (wanted == "auto" && computes_in_bf16(device_))) {}

void Precision::prepare(const torch::Tensor& clips) {
  if (bf16_ && device_.is_cpu() && !report_ && clips.dim() == 5)
    report_ = gate(net_, clips.sizes().vec());
}

std::unique_ptr<Bf16Scope> Precision::scope() const {
  return bf16_ ? std::make_unique<Bf16Scope>(device_.type()) : nullptr;
}

std::string Precision::text() const {
  if (!device_.is_cpu()) return fmt::format("{} on {}", bf16_ ? "bf16" : "f32", device_.str());
  return bf16_ ? "bf16; " + (report_ ? report_->text() : "no convolutions") : "f32";
}

}  // namespace distal
