#include "base/files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/in_use.h"
#include "base/leftovers.h"

namespace distal {
namespace {

void write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("{}: cannot be written ({}); free some space or choose another place", path, std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  if (::fsync(file) != 0) fail("{}: cannot be written to the disk ({}); free some space or choose another place", path, std::strerror(errno));
}

void sync_folder(const std::string& path) {
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

std::string holder(int file) {
  char text[32] = {};
  if (::pread(file, text, sizeof text - 1, 0) <= 0) return "another process";
  return std::to_string(::getpid()) == text ? fmt::format("this process ({})", text) : fmt::format("process {}", text);
}

bool still_there(int file, const std::string& path) {
  struct stat mine{}, named{};
  return ::fstat(file, &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

}  // namespace

void write_atomically(const std::string& path, std::string_view bytes) {
  clear_leftovers_of(path);
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail("{}: cannot be written ({}); check that the folder exists and is yours", path, std::strerror(errno));
  ::flock(file, LOCK_EX | LOCK_NB);  // it is being written, whoever looks from another machine (base/leftovers.h)
  try {
    write_all(file, bytes, path);
  } catch (...) {
    ::close(file);
    ::unlink(temporary.c_str());
    throw;
  }
  const int renamed = ::rename(temporary.c_str(), path.c_str()), reason = errno;
  ::close(file);
  if (renamed != 0) {
    ::unlink(temporary.c_str());
    fail("{}: cannot be replaced ({}); remove what stands there", path, std::strerror(reason));
  }
  sync_folder(path);
}

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("{}: the folder cannot be made ({}); name another", folder, error.message());
}

std::string read_file(const std::string& path, int64_t most_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. It means nothing for a regular file.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    if (errno == ENOENT || errno == ENOTDIR) fail("{}: no such file; check the path", path);
    fail("{}: cannot be read ({}); check the path and its permissions", path, std::strerror(errno));
  }
  const auto close = [](const int* opened) { ::close(*opened); };
  const std::unique_ptr<const int, decltype(close)> closing(&file, close);
  struct stat about{};
  if (::fstat(file, &about) != 0) fail("{}: cannot be read ({}); check the disk", path, std::strerror(errno));
  if (S_ISDIR(about.st_mode)) fail("{}: a folder; name a file", path);
  if (!S_ISREG(about.st_mode)) fail("{}: no regular file but a device, pipe or socket; write it to a file first", path);
  if (about.st_size > most_bytes) fail("{}: {} bytes, at most {} are read; is it the right file?", path, about.st_size, most_bytes);
  std::string text(static_cast<size_t>(about.st_size), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(file, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("{}: cannot be read ({}); check the disk", path, std::strerror(errno));
    if (got == 0) break;  // it became shorter meanwhile
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

std::string read_if_there(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) || unknown ? read_file(path) : "";
}

FileLock::FileLock(const std::string& path, const std::string& what, const std::string& cure) : path_(path) {
  for (;;) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) fail("{}: {} cannot be written ({}); {}", what, path_, std::strerror(errno), cure);
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      const std::string who = holder(file_);
      ::close(file_);
      if (reason != EWOULDBLOCK) fail("{}: {} cannot be locked ({}); {}", what, path_, std::strerror(reason), cure);
      throw InUse(fmt::format("{}: {} is at work here; wait for it, stop it, or {}", what, who, cure));
    }
    if (still_there(file_, path_)) break;
    ::close(file_);  // its last owner removed it between our open and our lock
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, pid.data(), pid.size(), 0) < 0) return;  // only the message is poorer
}

FileLock::~FileLock() {
  ::unlink(path_.c_str());  // while we hold it
  ::close(file_);
}

}  // namespace distal
