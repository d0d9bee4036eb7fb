#pragma once
// Files that are whole or absent, and what one process at a time may work on.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

/// What to do about a refusal of the file system, an errno.
const char* cure_of(int reason);

/// Throws Error where no file may take the name `path`: a device, pipe or socket stands there, or
/// the name is too long. Everything that writes files asks so; whoever works for long before it
/// writes asks first.
void require_place_for(const std::string& path);

/// A file in the making, empty at first, beside where it will stand and under a name that says what
/// it is (base/leftovers.h). It is locked by flock as long as this lives, so that nobody clears it
/// away, and it is nobody else's: where the name is taken, it gets another. Libraries may open and
/// write name() themselves.
class UnfinishedFile {
 public:
  /// Of the file `path`. With `endings`, a file for each, alike in all but this. Throws Error: the
  /// folder is missing or not yours, or no file may stand there.
  explicit UnfinishedFile(const std::string& path, const std::vector<std::string>& endings = {""});
  ~UnfinishedFile();  // removes what was not published
  UnfinishedFile(const UnfinishedFile&) = delete;

  const std::string& name(size_t ending = 0) const { return files_[ending].name; }
  /// Writes the first of the files to the disk. Throws Error.
  void write(std::string_view bytes);
  /// The file takes the name `to` in one step, in place of what stood there. Throws Error.
  void publish(const std::string& to, size_t ending = 0);

 private:
  struct File {
    std::string name;
    int file;
  };
  bool add(const std::string& name, int& reason);  // false: not to be had
  void close();
  std::string path_;
  std::vector<File> files_;
};

/// Writes a whole file: temporary file beside it, fsync, rename. A failure leaves what stood at
/// `path`, and no temporary file. Throws Error with the path and the reason: folder missing or not
/// yours, disk full, a limit on file sizes.
void write_atomically(const std::string& path, std::string_view bytes);

/// Makes a folder and those above it where they are absent. Throws Error.
void make_folder(const std::string& folder);

/// The text of a regular file. Throws Error `path: what; cure`: absent, not yours, a folder, a
/// device or a pipe (which may never end), larger than `most_bytes`.
std::string read_file(const std::string& path, int64_t most_bytes = int64_t{1} << 30);

/// A regular file in memory for as long as this lives: pages are read when touched and shared with
/// other processes. Where they are `writable`, what is written does not reach the file. Throws
/// Error as read_file does, and for an empty file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, bool writable = false);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

/// The text of a file; empty where there is none. Throws Error: it is there but cannot be read.
std::string read_if_there(const std::string& path);

/// One process at a time, by flock on the file `path`. The kernel drops the lock when its process
/// dies, however it dies. The file holds the process id for the message of who comes second, and
/// goes with the lock.
class FileLock {
 public:
  /// Throws Error at once, `what: ... ; cure`, where another process holds the lock (or this one,
  /// twice).
  FileLock(const std::string& path, const std::string& what, const std::string& cure);
  ~FileLock();
  FileLock(const FileLock&) = delete;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace distal
