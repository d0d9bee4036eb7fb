#pragma once
// A device that is not the CPU, for tests on machines without one. It computes on the CPU, but
// keeps tensors in memory that may be touched only while one of its kernels copies. Code that reads
// such a tensor as if it lay in the CPU's memory dies by SIGSEGV; an operation that mixes devices
// throws c10::Error. LibTorch knows it as `hpu:0`.

#include <torch/types.h>

namespace distal {

/// The device. It is there in every program that links this, from its start.
torch::Device fake_device();

}  // namespace distal
