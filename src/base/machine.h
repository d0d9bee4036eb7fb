#pragma once
// What this machine has, and how much of it others use. Linux.

#include <cstdint>
#include <string>

namespace distal {

/// Bytes of memory that this process may come to use: of the machine, or of its control group where that has a limit. 0: unknown.
int64_t memory_bytes();
/// Bytes of memory that are free, or can be freed at once. 0: unknown.
int64_t free_memory_bytes();
/// Processes that wanted a processor over the last minute, in the mean; below 0: unknown.
double load();
std::string load_words();  // ", load 3.2 over the last minute"; empty where it is unknown

}  // namespace distal
