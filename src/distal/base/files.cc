#include "distal/base/files.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "distal/base/error.h"
#include "distal/base/in_use.h"
#include "distal/base/leftovers.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr int64_t kMostNames = 1000;  // that are tried for an unfinished file
constexpr size_t kMostNamed = 200;    // bytes of a path that is too long to be one

[[noreturn]] void fail_at(const std::string& path, const char* what, int reason) {
  fail("{}: {} ({}); {}", path, what, std::strerror(reason), cure_of(reason));
}

void write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail_at(path, "cannot be written", errno);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  if (::fsync(file) != 0) fail_at(path, "cannot be written to the disk", errno);
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
  return std::to_string(::getpid()) == text ? fmt::format("this process ({})", text)
                                            : fmt::format("process {}", text);
}

bool still_there(int file, const std::string& path) {
  struct stat mine = {};
  struct stat named = {};
  return ::fstat(file, &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
         mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

struct Opened {
  int file;
  int64_t bytes;
  explicit Opened(const std::string& path) {
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. It means nothing for a
    // regular file.
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
      if (errno == ENOENT || errno == ENOTDIR) fail("{}: no such file; check the path", path);
      fail_at(excerpt(path, kMostNamed), "cannot be read", errno);
    }
    struct stat about {};
    const bool known = ::fstat(file, &about) == 0;
    const auto refuse = [&](const std::string& why) {
      ::close(file);
      fail("{}: {}", path, why);
    };
    if (!known) refuse(fmt::format("cannot be read ({}); check the disk", std::strerror(errno)));
    if (S_ISDIR(about.st_mode)) refuse("a folder; name a file");
    if (!S_ISREG(about.st_mode))
      refuse("no regular file but a device, pipe or socket; write it to a file first");
    bytes = about.st_size;
  }
  ~Opened() { ::close(file); }
  Opened(const Opened&) = delete;
};

}  // namespace

const char* cure_of(int reason) {
  switch (reason) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "free some space, then repeat the command";
    case EACCES:
    case EPERM: return "check the permissions, or give another path";
    case EROFS: return "give a path on a disk that can be written";
    case EMFILE:
    case ENFILE: return "end some programs, or raise the limit of open files (ulimit -n)";
    case ENOENT:
    case ENOTDIR: return "check that the folder exists";
    case EISDIR: return "name another file";
    case ENAMETOOLONG: return "give a shorter name";
    case EIO: return "check the disk";
    default: return "check the path";
  }
}

// What is written takes the place of what stands there: of /dev/null or /dev/stdout, where one may
// do so, for all programs.
void require_place_for(const std::string& path) {
  const size_t bytes = std::filesystem::path(path).filename().string().size();
  if (bytes > NAME_MAX)
    fail("{}: its name has {} bytes, and file systems take {}; give a shorter name",
         excerpt(path, 2 * NAME_MAX), bytes, NAME_MAX);
  struct stat there = {};
  struct stat named = {};
  if (::stat(path.c_str(), &there) != 0 || S_ISDIR(there.st_mode))
    return;  // a folder is not replaced
  const bool link_to_device =
      path.starts_with("/dev/") && ::lstat(path.c_str(), &named) == 0 && S_ISLNK(named.st_mode);
  if (S_ISREG(there.st_mode) && !link_to_device) return;
  fail("{}: no regular file but a device, pipe or socket, which a file would replace; name a file",
       path);
}

UnfinishedFile::UnfinishedFile(const std::string& path, const std::vector<std::string>& endings)
    : path_(path + endings[0]) {
  for (const std::string& ending : endings) require_place_for(path + ending);
  const std::filesystem::path meant(path);
  int reason = EEXIST;
  for (int64_t number = 1; number <= kMostNames && reason == EEXIST; ++number) {
    const std::string name =
        (meant.parent_path() / unfinished_name(meant.filename().string(), number)).string();
    const bool whole = std::all_of(endings.begin(), endings.end(), [&](const std::string& ending) {
      return add(name + ending, reason);
    });
    if (whole) return;
    close();
  }
  if (reason == EEXIST)
    fail("{}: {} unfinished files of this name stand beside it; remove those that nobody writes "
         "(.distal-N-N.tmp)",
         path_, kMostNames);
  fail_at(path_, "cannot be written", reason);
}

// Whoever clears up may have seen the file before it was locked: then it is gone, and its name is
// as good as taken. Where there are no locks, nobody clears up.
bool UnfinishedFile::add(const std::string& name, int& reason) {
  const int file = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) reason = errno;
  if (file < 0) return false;
  files_.push_back({name, file});
  while (::flock(file, LOCK_EX) != 0 && errno == EINTR) {
  }
  return still_there(file, name);
}

UnfinishedFile::~UnfinishedFile() { close(); }

void UnfinishedFile::close() {
  for (const File& it : files_) {
    if (still_there(it.file, it.name)) ::unlink(it.name.c_str());  // while we hold it
    ::close(it.file);
  }
  files_.clear();
}

void UnfinishedFile::write(std::string_view bytes) { write_all(files_[0].file, bytes, path_); }

void UnfinishedFile::publish(const std::string& to, size_t ending) {
  require_place_for(to);  // as it is by now
  if (::rename(name(ending).c_str(), to.c_str()) != 0) fail_at(to, "cannot be replaced", errno);
}

void write_atomically(const std::string& path, std::string_view bytes) {
  clear_leftovers_of(path);
  UnfinishedFile file(path);
  file.write(bytes);
  file.publish(path);
  sync_folder(path);
}

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("{}: the folder cannot be made ({}); name another", folder, error.message());
}

std::string read_file(const std::string& path, int64_t most_bytes) {
  const Opened opened(path);
  if (opened.bytes > most_bytes)
    fail("{}: {} bytes, at most {} are read; is it the right file?", path, opened.bytes,
         most_bytes);
  std::string text(static_cast<size_t>(opened.bytes), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(opened.file, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("{}: cannot be read ({}); check the disk", path, std::strerror(errno));
    if (got == 0) break;  // it became shorter meanwhile
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

MappedFile::MappedFile(const std::string& path, bool writable) {
  const Opened opened(path);
  if (opened.bytes == 0) fail("{}: an empty file; is it the right one?", path);
  size_ = static_cast<size_t>(opened.bytes);
  void* at = ::mmap(nullptr, size_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE,
                    opened.file, 0);
  if (at == MAP_FAILED)
    fail("{}: cannot be mapped into memory ({}); copy it to a local disk", path,
         std::strerror(errno));
  data_ = static_cast<char*>(at);
}

MappedFile::~MappedFile() { ::munmap(data_, size_); }

std::string read_if_there(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::exists(path, unknown) || unknown ? read_file(path) : "";
}

FileLock::FileLock(const std::string& path, const std::string& what, const std::string& cure)
    : path_(path) {
  for (;;) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0)
      fail("{}: {} cannot be written ({}); {}", what, path_, std::strerror(errno), cure);
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      const std::string who = holder(file_);
      ::close(file_);
      if (reason != EWOULDBLOCK)
        fail("{}: {} cannot be locked ({}); {}", what, path_, std::strerror(reason), cure);
      throw InUse(
          fmt::format("{}: {} is at work here; wait for it, stop it, or {}", what, who, cure));
    }
    if (still_there(file_, path_)) break;
    ::close(file_);  // its last owner removed it between our open and our lock
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, pid.data(), pid.size(), 0) < 0)
    return;  // only the message is poorer
}

FileLock::~FileLock() {
  ::unlink(path_.c_str());  // while we hold it
  ::close(file_);
}

}  // namespace distal
