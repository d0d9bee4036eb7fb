#pragma once
// What this machine has, and how much of it others use. Linux.

#include <cstdint>

namespace distal {

/// Bytes of memory that this process may come to use: of the machine, or of its control group where that has a limit. 0: unknown.
int64_t memory_bytes();
/// Bytes of memory that are free, or can be freed at once. 0: unknown.
int64_t free_memory_bytes();

}  // namespace distal
