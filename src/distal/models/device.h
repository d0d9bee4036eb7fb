#pragma once
// Where networks compute: on the CPU, or on another device of LibTorch. A network lies where its
// parameters lie. Who runs it takes the batches there (Batch::to). Who reads numbers out of memory
// takes them from `on_cpu`.

#include <string>

#include <torch/types.h>

namespace torch::nn {
class Module;
}

namespace distal {

/// Throws UsageError, `place: what; cure`, unless `text` is `auto` or names a device of LibTorch,
/// such as `cpu`, `cuda` or `cuda:1`. It does not ask whether this machine has it.
void require_device_name(const std::string& text, const std::string& place);

/// The device that `wanted` names; the first of its kind where it has no number. `auto` is the
/// first CUDA device, and the CPU where there is none. Throws Error, `place: what; cure`, where
/// this machine or its LibTorch does not have that device.
torch::Device device_for(const std::string& wanted, const std::string& place);

/// Where the parameters of a module lie; the CPU where it has none.
torch::Device device_of(const torch::nn::Module& module);

/// The tensor in the CPU's memory, contiguous and without history: what data pointers may read. It
/// is no copy where the tensor is so already.
torch::Tensor on_cpu(const torch::Tensor& tensor);

}  // namespace distal
