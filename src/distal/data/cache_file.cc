#include "distal/data/cache_file.h"

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "distal/base/checksum.h"
#include "distal/data/cache_error.h"
#include "distal/data/frame_cache.h"

namespace distal {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr int64_t kHeaderBytes = 64;
constexpr auto kPoll = std::chrono::milliseconds(5);

struct Header {
  char magic[8] = {'D', 'S', 'T', 'L', 'F', 'R', 'M', '\n'};
  int64_t version = 3;  // 1: frames of an index that was believed unseen; 2: with frames of VP8,
                        // VP9 and AV1 left out, and other streams of a file
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t unused[3] = {};
  explicit Header(const CacheShape& shape)
      : frames(shape.frames), height(shape.height), width(shape.width) {}
};
static_assert(sizeof(Header) == kHeaderBytes);

// Whether the open file is a cache file of this shape.
bool matches(int fd, const CacheShape& shape) {
  struct stat file {};
  uint8_t bytes[kHeaderBytes];
  const Header header(shape);
  return fstat(fd, &file) == 0 && file.st_size == shape.file_bytes() &&
         pread(fd, bytes, kHeaderBytes, 0) == kHeaderBytes &&
         std::memcmp(bytes, &header, kHeaderBytes) == 0;
}

[[noreturn]] void refuse(const std::string& path, int error) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    throw CacheError(
        fmt::format("{}: no room for decoded frames ({}), free some space, lower cache.gigabytes, "
                    "or name another folder in cache.folder",
                    folder, std::strerror(error)));
  }
  throw CacheError(fmt::format("{}: {}, name a folder that can be written in cache.folder", path,
                               std::strerror(error)));
}

}  // namespace

uint64_t frame_checksum(const uint8_t* bytes, int64_t count) {
  return checksum({reinterpret_cast<const char*>(bytes), static_cast<size_t>(count)});
}

std::shared_ptr<CacheMap> CacheMap::open(const std::string& path, const CacheShape& shape) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat file {};
  void* base = MAP_FAILED;
  if (matches(fd, shape) && fstat(fd, &file) == 0)
    base = mmap(nullptr, shape.file_bytes(), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (base == MAP_FAILED) return nullptr;
  return std::shared_ptr<CacheMap>(new CacheMap(static_cast<const uint8_t*>(base), shape, file));
}

CacheMap::CacheMap(const uint8_t* base, const CacheShape& shape, const struct stat& file)
    : base_(base),
      shape_(shape),
      inode_(file.st_ino),
      device_(file.st_dev),
      verified_(shape.frames) {}

CacheMap::~CacheMap() { munmap(const_cast<uint8_t*>(base_), shape_.file_bytes()); }

uint64_t CacheMap::checksum(int64_t index) const {
  auto* sums = reinterpret_cast<uint64_t*>(const_cast<uint8_t*>(base_) + kHeaderBytes);
  return std::atomic_ref(sums[index]).load(std::memory_order_acquire);
}

bool CacheMap::present(int64_t index) const { return checksum(index) != 0; }

bool CacheMap::ready(int64_t index) {
  if (verified_[index].load(std::memory_order_relaxed) != 0) return true;
  const uint64_t sum = checksum(index);
  if (sum == 0 || sum != frame_checksum(frame(index), shape_.frame_bytes())) return false;
  verified_[index].store(1, std::memory_order_relaxed);
  return true;
}

std::unique_ptr<CacheWriter> CacheWriter::open(const std::string& path, const CacheShape& shape,
                                               double patience_s) {
  const auto began = std::chrono::steady_clock::now();
  std::unique_ptr<CacheWriter> writer(new CacheWriter(path, shape));
  for (;;) {
    const Lock lock = writer->lock();
    if (lock == Lock::held) return writer;
    if (lock == Lock::gone) continue;
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() >
        patience_s)
      return nullptr;
    std::this_thread::sleep_for(kPoll);
  }
}

CacheWriter::~CacheWriter() {
  if (fd_ >= 0) close(fd_);
}

// Locks the file that stands at the path; `gone` where it must be tried again at once, because
// another took it away meanwhile or because it was no cache file of this shape. Such a file is
// unlinked, not truncated: somebody may have it mapped.
CacheWriter::Lock CacheWriter::lock() {
  if (fd_ >= 0) close(fd_);
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) refuse(path_, errno);
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return Lock::busy;
    refuse(path_, errno);
  }
  struct stat file {};
  if (fstat(fd_, &file) != 0) refuse(path_, errno);
  if (file.st_nlink == 0) return Lock::gone;
  if (file.st_size == 0) initialise();
  if (matches(fd_, shape_)) return Lock::held;
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) refuse(path_, errno);
  return Lock::gone;
}

void CacheWriter::initialise() {
  const int error = posix_fallocate(fd_, 0, shape_.slots_at());
  if (error != 0) refuse(path_, error);
  if (ftruncate(fd_, shape_.file_bytes()) != 0) refuse(path_, errno);
  const Header header(shape_);
  put(&header, kHeaderBytes, 0);
}

void CacheWriter::write(int64_t index, const uint8_t* frame) {
  // Through the file, not the map: a full disk is then an error here instead of a SIGBUS there.
  put(frame, shape_.frame_bytes(), shape_.slots_at() + index * shape_.frame_bytes());
  const uint64_t sum = frame_checksum(frame, shape_.frame_bytes());
  std::atomic_thread_fence(std::memory_order_release);
  put(&sum, 8, kHeaderBytes + 8 * index);
}

void CacheWriter::put(const void* bytes, int64_t count, int64_t at) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  while (count > 0) {
    const ssize_t written = pwrite(fd_, from, count, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) refuse(path_, written < 0 ? errno : ENOSPC);
    from += written;
    at += written;
    count -= written;
  }
}

}  // namespace distal
