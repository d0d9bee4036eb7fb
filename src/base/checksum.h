#pragma once
// Whether bytes are still those that were written. Not against forgery.

#include <cstdint>
#include <string_view>

namespace distal {

/// 64 bits of all bytes, at the speed of memory; never 0. A change within any eight bytes changes it for certain.
uint64_t checksum(std::string_view bytes);

}  // namespace distal
