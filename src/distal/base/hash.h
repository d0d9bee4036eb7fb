#pragma once
// Hashes that are the same on every machine and in every version. None is safe against attackers.

#include <cstdint>
#include <string_view>

namespace distal {

/// FNV-1a, 64 bits.
uint64_t fnv1a(std::string_view text, uint64_t basis = 0xcbf29ce484222325ULL);
/// The splitmix64 finaliser.
uint64_t mix64(uint64_t z);

}  // namespace distal
