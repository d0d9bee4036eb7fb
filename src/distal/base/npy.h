#pragma once
// NumPy's .npy files, format 1.0 to 3.0 (NumPy Enhancement Proposal 1).

#include <string>

#include <torch/types.h>

namespace distal {

/// Maps the array of a file into memory. The dtype is float16, float32, float64, int32, int64,
/// uint8, bool, or bfloat16 as ml_dtypes saves it (two raw bytes). The file is little-endian, in C
/// order. Pages are read on access and shared with other processes. Do not write to the tensor.
/// Throws Error: no such file, not .npy, unsupported dtype, Fortran order, truncated.
torch::Tensor map_npy(const std::string& path);

/// Writes a float16, float32, float64, int64 or uint8 array. The write is atomic.
void write_npy(const std::string& path, const torch::Tensor& array);

}  // namespace distal
