#pragma once
// Whether bytes are still those that were written. Not against forgery.

#include <cstdint>
#include <string_view>

namespace distal {

/// 64 bits of all bytes, at the speed of memory; never 0. A change within one word of eight bytes,
/// counted from the first, changes it for certain (in the last 31 bytes: of one byte); any other
/// but for one in 2^64. (As 0 is none, two of all sums are the same.)
uint64_t checksum(std::string_view bytes);

}  // namespace distal
