#pragma once
// How many bytes an array wants whose sizes a file states.

#include <cstdint>
#include <optional>
#include <span>

namespace distal {

/// Bytes of an array with these sizes and `element_bytes` a number; 0 where a size is 0. Nothing
/// where a size is negative, the sizes without those of 0 multiply to more than 2^63 - 1 (LibTorch
/// multiplies them for strides), or the bytes do.
std::optional<int64_t> array_bytes(std::span<const int64_t> sizes, int64_t element_bytes);

}  // namespace distal
