#pragma once
// What this machine has, and how much of it others use. Linux.

#include <cstdint>
#include <string>

namespace distal {

/// Bytes of memory that this process may come to use: of the machine, or of its control groups
/// where these have a limit. 0: unknown.
int64_t memory_bytes();
/// Bytes of memory that are free, or can be freed at once, within those limits. 0: none, or
/// unknown.
int64_t free_memory_bytes();

/// The least limit of the control groups a process is in, those above them included, and the least
/// that is left within one. Negative: none.
struct GroupMemory {
  int64_t bytes = -1;
  int64_t free_bytes = -1;
};
/// `groups`: a file as /proc/self/cgroup; `mount`: where the groups' files are, those of memory in
/// its folder memory for version 1.
GroupMemory group_memory(const std::string& groups = "/proc/self/cgroup",
                         const std::string& mount = "/sys/fs/cgroup");

}  // namespace distal
