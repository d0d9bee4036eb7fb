#pragma once
// NumPy's .npy files (format 1.0 to 3.0, NumPy Enhancement Proposal 1): how other tools' features
// come in and rows go out.

#include <string>

#include <torch/types.h>

namespace distal {

/// The array of a file, mapped into memory where it lies: float16, float32, float64, int32, int64,
/// bool, or bfloat16 as ml_dtypes saves it (two raw bytes), little-endian, in C order. Pages are
/// read when touched and shared with other processes; not to be written to. Throws Error with path,
/// what is wrong and the cure: no such file, no .npy, another type, Fortran order, cut off.
torch::Tensor map_npy(const std::string& path);

/// Writes a whole file or nothing. float32, float64 or int64.
void write_npy(const std::string& path, const torch::Tensor& array);

}  // namespace distal
