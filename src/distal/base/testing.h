#pragma once
// For tests of every room: a folder of one's own, and what an action is refused with.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "distal/base/error.h"

namespace distal {

/// A new empty folder under the system's temporary folder, removed with everything in it at the
/// end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "distal_test_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::string path_;
};

/// What an error of type `Kind` says that the action throws; "" if it throws nothing.
/// Errors of other types pass through.
template <class Kind = Error, class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  }
  return "";
}

}  // namespace distal
