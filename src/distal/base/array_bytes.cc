#include "distal/base/array_bytes.h"

namespace distal {

std::optional<int64_t> array_bytes(std::span<const int64_t> sizes, int64_t element_bytes) {
  int64_t elements = 1;
  int64_t bytes = 0;
  bool empty = false;
  for (const int64_t size : sizes) {
    if (size < 0 || (size > 0 && __builtin_mul_overflow(elements, size, &elements)))
      return std::nullopt;
    empty |= size == 0;
  }
  if (empty) return 0;
  if (__builtin_mul_overflow(elements, element_bytes, &bytes)) return std::nullopt;
  return bytes;
}

}  // namespace distal
