#pragma once
// Files that are whole or absent, and folders in which one process at a time works.

#include <string>
#include <string_view>

namespace distal {

/// Writes a whole file: temporary file beside it, fsync, rename. A failure leaves what stood at `path`, and no temporary
/// file. Throws Error with the path and the reason: folder missing or not yours, disk full, a limit on file sizes.
void write_atomically(const std::string& path, std::string_view bytes);

/// Makes a folder and those above it where they are absent. Throws Error.
void make_folder(const std::string& folder);

/// The text of a file; empty where there is none. Throws Error: it is there but cannot be read.
std::string read_if_there(const std::string& path);

/// One process at a time in a folder: flock on FOLDER/.lock. The kernel drops the lock when its process dies, however it
/// dies. The file holds the process id for the message of who comes second, and goes with the lock.
class FolderLock {
 public:
  /// Throws Error at once where another process holds the lock (or this one, twice); `cure` ends its message.
  FolderLock(const std::string& folder, const std::string& cure);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace distal
