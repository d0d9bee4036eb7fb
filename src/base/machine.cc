#include "base/machine.h"

#include <charconv>
#include <fstream>
#include <string>

namespace distal {
namespace {

int64_t number_in(const std::string& text) {
  const size_t from = text.find_first_of("0123456789");
  int64_t number = 0;
  if (from != std::string::npos) std::from_chars(text.data() + from, text.data() + text.size(), number);
  return number;
}

int64_t meminfo(const std::string& field) {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with(field + ":")) return number_in(line) * 1024;
  return 0;
}

// "max" where there is none: no digits.
int64_t group_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  std::string line;
  return std::getline(file, line) ? number_in(line) : 0;
}

}  // namespace

int64_t memory_bytes() {
  const int64_t machine = meminfo("MemTotal"), group = group_limit();
  return group > 0 && (machine == 0 || group < machine) ? group : machine;
}

int64_t free_memory_bytes() { return meminfo("MemAvailable"); }

}  // namespace distal
