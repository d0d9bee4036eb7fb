#include "distal/base/leftovers.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".distal-";
constexpr size_t kMostStem =
    200;  // bytes of a name, so that what is put behind it stays within a file system's 255

std::string stem_of(const std::string& name) { return name.substr(0, kMostStem); }

// Removes it while it is locked and still what stands there: what somebody else put under that name
// meanwhile is not looked at.
void remove_if_nobody_writes(const fs::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return;
  struct stat mine = {};
  struct stat named = {};
  const bool left = ::flock(file, LOCK_EX | LOCK_NB) == 0 && ::fstat(file, &mine) == 0 &&
                    S_ISREG(mine.st_mode) && ::lstat(path.c_str(), &named) == 0 &&
                    mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
  if (left) ::unlink(path.c_str());
  ::close(file);
}

template <class Iterator>
void clear(const std::string& folder, const std::string& beginning) {
  std::error_code error;
  for (Iterator at(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && at != end && !interrupted(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(beginning) && is_unfinished(name)) remove_if_nobody_writes(at->path());
  }
}

}  // namespace

std::string unfinished_name(const std::string& name, int64_t number) {
  const std::string before = fmt::format("{}{}{}", stem_of(name), kMark, number);
  return fmt::format("{}-{:08x}.tmp", before, static_cast<uint32_t>(mix64(fnv1a(before))));
}

bool is_unfinished(const std::string& name) {
  const auto at = name.rfind(kMark);
  if (at == std::string::npos || at == 0) return false;
  const auto digits = std::string_view(name).substr(at + kMark.size());
  const auto end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  if (end == 0 || end > 9 || digits[0] == '0') return false;
  const std::string ours =
      unfinished_name(name.substr(0, at), std::stoll(std::string(digits.substr(0, end))));
  if (!name.starts_with(ours)) return false;
  const std::string ending = name.substr(ours.size());
  return ending.empty() || ending == ".onnx" || ending == ".xml" || ending == ".bin";
}

void clear_leftovers(const std::string& folder, bool deep) {
  if (deep)
    clear<fs::recursive_directory_iterator>(folder, "");
  else
    clear<fs::directory_iterator>(folder, "");
}

void clear_leftovers_of(const std::string& path) {
  const fs::path file(path);
  clear<fs::directory_iterator>(file.has_parent_path() ? file.parent_path().string() : ".",
                                stem_of(file.filename().string()) + ".");
}

}  // namespace distal
