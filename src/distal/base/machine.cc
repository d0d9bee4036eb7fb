#include "distal/base/machine.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace distal {
namespace {

// The first number of a text; -1: there is none, as in "max".
int64_t number_in(const std::string& text) {
  const size_t from = text.find_first_of("0123456789");
  int64_t number = -1;
  if (from != std::string::npos)
    std::from_chars(text.data() + from, text.data() + text.size(), number);
  return number;
}

// The number behind `field` in a file of such lines; -1: no such line.
int64_t field_in(const std::string& path, const std::string& field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return number_in(line.substr(field.size()));
  }
  return -1;
}

int64_t meminfo(const std::string& field) {
  return std::max<int64_t>(0, field_in("/proc/meminfo", field + ":")) * 1024;
}

// What the two versions of control groups call their files and fields.
struct GroupWords {
  const char *limit, *used, *inactive, *active;
};
constexpr GroupWords kFirst = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file ", "total_active_file "};
constexpr GroupWords kSecond = {"memory.max", "memory.current", "inactive_file ", "active_file "};

int64_t least(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

// The group `path` below `root` and all above it: the limit of any of them holds.
void look_at(GroupMemory& memory, const std::filesystem::path& root, const std::string& path,
             const GroupWords& words) {
  for (std::filesystem::path group = std::filesystem::path(path).relative_path();;
       group = group.parent_path()) {
    const std::filesystem::path folder = root / group;
    const int64_t limit = field_in((folder / words.limit).string(), "");
    const int64_t used = field_in((folder / words.used).string(), "");
    if (limit >= 0) {
      memory.bytes = least(memory.bytes, limit);
      const auto cached = [&](const char* field) {
        return std::max<int64_t>(0, field_in((folder / "memory.stat").string(), field));
      };
      const int64_t kept = std::max<int64_t>(
          0, used - cached(words.inactive) - cached(words.active));  // what cannot be freed at once
      if (used >= 0)
        memory.free_bytes = least(memory.free_bytes, std::max<int64_t>(0, limit - kept));
    }
    if (group.empty()) return;
  }
}

}  // namespace

// Lines ID:CONTROLLERS:PATH; version 2 is the one of ID 0, which names no controllers. In a
// container the path may be one of the host that is not there: then what counts is the root, which
// is the container's own.
GroupMemory group_memory(const std::string& groups, const std::string& mount) {
  GroupMemory memory;
  std::ifstream file(groups);
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const std::string path = line.substr(second + 1);
    if (controllers == ",,")
      look_at(memory, mount, path, kSecond);
    else if (controllers.find(",memory,") != std::string::npos)
      look_at(memory, mount + "/memory", path, kFirst);
  }
  return memory;
}

int64_t memory_bytes() {
  const int64_t machine = meminfo("MemTotal");
  const int64_t group = group_memory().bytes;
  return group > 0 && (machine == 0 || group < machine) ? group : machine;
}

int64_t free_memory_bytes() {
  const int64_t machine = meminfo("MemAvailable");
  const int64_t group = group_memory().free_bytes;
  return group >= 0 && (machine == 0 || group < machine) ? group : machine;
}

}  // namespace distal
