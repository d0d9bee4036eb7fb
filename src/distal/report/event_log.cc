#include "distal/report/event_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "distal/base/error.h"
#include "distal/base/files.h"

namespace distal {

/// The file, open for reading and writing.
class EventLog::File {
 public:
  explicit File(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (file_ < 0) refuse();
    struct stat now {};
    if (::fstat(file_, &now) != 0) refuse();
    inode_ = now.st_ino;
    size_ = now.st_size;
  }
  ~File() { ::close(file_); }
  File(const File&) = delete;

  uint64_t inode() const { return inode_; }
  int64_t size() const { return size_; }

  std::string read_from(int64_t from) const {
    std::string bytes(static_cast<size_t>(size_ - from), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got = ::pread(file_, bytes.data() + done, bytes.size() - done,
                                  from + static_cast<int64_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) refuse();
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    bytes.resize(done);
    return bytes;
  }

  /// Behind `at`, in place of what stands there.
  void write_at(int64_t at, const std::string& bytes) const {
    if (at < size_ && ::ftruncate(file_, at) != 0) refuse();
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::pwrite(file_, bytes.data() + done, bytes.size() - done,
                                   at + static_cast<int64_t>(done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) refuse();
      done += static_cast<size_t>(put);
    }
  }

 private:
  [[noreturn]] void refuse() const {
    const int reason = errno;
    fail("{}: {}; {}", path_, std::strerror(reason), cure_of(reason));
  }

  std::string path_;
  int file_ = -1;
  uint64_t inode_ = 0;
  int64_t size_ = 0;
};

/// Reads the records behind read_to_, up to the first that is cut off or damaged.
void EventLog::read_on(const File& file) {
  if (file.inode() != inode_ || file.size() < read_to_) {
    inode_ = file.inode();
    read_to_ = 0;
    held_.clear();
  }
  const std::string bytes = file.read_from(read_to_);
  std::string_view rest = bytes;
  while (const auto record = first_record(rest)) {
    held_.emplace(event_content(record->bytes));
    rest.remove_prefix(record->size);
    read_to_ += static_cast<int64_t>(record->size);
  }
}

void EventLog::add(const std::vector<Scalar>& scalars, double wall_time_s) {
  const File file(path_);
  read_on(file);
  std::string bytes = read_to_ == 0 ? event_file({}, wall_time_s) : "";
  std::vector<std::string> added;
  for (const Scalar& scalar : scalars) {
    std::string content = scalar_content(scalar);
    if (held_.contains(content)) continue;
    bytes += tf_record(timed_event(wall_time_s, content));
    added.push_back(std::move(content));
  }
  if (bytes.empty() && file.size() == read_to_) return;
  file.write_at(read_to_, bytes);
  read_to_ += static_cast<int64_t>(bytes.size());
  held_.insert(added.begin(), added.end());
}

}  // namespace distal
