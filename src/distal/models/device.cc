#include "distal/models/device.h"

#include <ATen/ATen.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "distal/base/error.h"

namespace distal {
namespace {

// Nothing where the text names no device that can hold numbers.
std::optional<at::Device> parsed(const std::string& text) {
  try {
    const at::Device device(text);
    if (device.is_meta()) return std::nullopt;
    return device;
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

int64_t devices_of(at::DeviceType type) {
  if (type == at::kCPU) return 1;
  if (!c10::impl::hasDeviceGuardImpl(type)) return 0;
  return c10::impl::getDeviceGuardImpl(type)->deviceCount();
}

std::string name_of(at::DeviceType type) { return c10::DeviceTypeName(type, /*lower_case=*/true); }

[[noreturn]] void refuse(const at::Device& wanted, const std::string& place) {
  const std::string kind = name_of(wanted.type());
  const int64_t count = devices_of(wanted.type());
  if (count > 0) {
    fail(
        "{}: {} is not there, the last {} device of this machine is {}:{}; write that one, or auto",
        place, wanted.str(), kind, kind, count - 1);
  }
  fail("{}: {} is not there, neither this machine's driver nor its LibTorch shows a {} device; "
       "write auto or cpu, or install the driver and build with a LibTorch for {} (Torch_DIR)",
       place, wanted.str(), kind, kind);
}

}  // namespace

void require_device_name(const std::string& text, const std::string& place) {
  if (text == "auto" || parsed(text)) return;
  throw UsageError(fmt::format(
      "{}: '{}' names no device; write auto, cpu, cuda, or cuda:1 for the second", place, text));
}

torch::Device device_for(const std::string& wanted, const std::string& place) {
  if (wanted == "auto") {
    return devices_of(at::kCUDA) > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  }
  require_device_name(wanted, place);
  at::Device device = *parsed(wanted);
  if (device.is_cpu()) return at::kCPU;
  if (!device.has_index()) device.set_index(0);
  if (device.index() >= devices_of(device.type())) refuse(device, place);
  return device;
}

torch::Device device_of(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return parameters.empty() ? at::Device(at::kCPU) : parameters.front().device();
}

torch::Tensor on_cpu(const torch::Tensor& tensor) { return tensor.detach().cpu().contiguous(); }

}  // namespace distal
