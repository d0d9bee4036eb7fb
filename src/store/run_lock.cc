#include "store/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace distal {
namespace {

std::string holder(int file) {
  char text[32] = {};
  if (::pread(file, text, sizeof text - 1, 0) <= 0) return "another process";
  if (std::to_string(::getpid()) == text) return fmt::format("this process ({})", text);
  return fmt::format("process {}", text);
}

bool still_there(int file, const std::string& path) {
  struct stat mine{}, named{};
  return ::fstat(file, &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino;
}

}  // namespace

RunLock::RunLock(const std::string& store_path, int64_t run, const std::string& name)
    : path_(fmt::format("{}.run-{}.lock", store_path, run)) {
  for (;;) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) fail("run {}: cannot write {} ({}); check the rights of the directory", name, path_, std::strerror(errno));
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      const std::string who = holder(file_);
      ::close(file_);
      if (reason != EWOULDBLOCK) fail("run {}: cannot lock {} ({}); put the store on a local disk", name, path_, std::strerror(reason));
      fail("run {}: {} is at work on it; wait for it or stop it", name, who);
    }
    if (still_there(file_, path_)) break;
    ::close(file_);  // its last owner removed it between our open and our lock
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, pid.data(), pid.size(), 0) < 0) return;  // only the message is poorer
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());  // while we hold it
  ::close(file_);
}

}  // namespace distal
