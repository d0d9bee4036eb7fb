#pragma once
// One file of the frame cache: header, a checksum per frame, a slot per frame. Layout, all
// little-endian:
//   0        Header (64 bytes): magic, version, frames, height, width
//   64       uint64 checksum of each frame, 0 = absent
//   slots_at uint8 [frames][height][width][3], page-aligned start
// For FrameCache only.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace distal {

struct CacheShape {
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t frame_bytes() const { return height * width * 3; }
  int64_t slots_at() const { return (64 + 8 * frames + 4095) / 4096 * 4096; }
  int64_t file_bytes() const { return slots_at() + frames * frame_bytes(); }
};

/// Checksum of a frame, never 0.
uint64_t frame_checksum(const uint8_t* bytes, int64_t count);

/// A cache file mapped read-only. Valid for ever, also after the file is unlinked.
class CacheMap {
 public:
  /// Null where the file is absent, not of this shape, or not a cache file.
  static std::shared_ptr<CacheMap> open(const std::string& path, const CacheShape& shape);
  ~CacheMap();
  CacheMap(const CacheMap&) = delete;

  /// Whether the frame is there and sound; the bytes are checked once. Thread-safe.
  bool ready(int64_t index);
  /// Whether the frame was written, sound or not.
  bool present(int64_t index) const;
  const uint8_t* frame(int64_t index) const {
    return base_ + shape_.slots_at() + index * shape_.frame_bytes();
  }
  const CacheShape& shape() const { return shape_; }
  bool is(const struct stat& file) const { return file.st_ino == inode_ && file.st_dev == device_; }

 private:
  CacheMap(const uint8_t* base, const CacheShape& shape, const struct stat& file);
  uint64_t checksum(int64_t index) const;
  const uint8_t* base_;
  CacheShape shape_;
  ino_t inode_;
  dev_t device_;
  std::vector<std::atomic<uint8_t>> verified_;  // [frames]
};

/// A cache file locked for writing; created or rebuilt where it is absent or not of this shape.
class CacheWriter {
 public:
  /// Tries for `patience_s` to get the lock (once at least); null where another holds it longer.
  /// Throws CacheError.
  static std::unique_ptr<CacheWriter> open(const std::string& path, const CacheShape& shape,
                                           double patience_s);
  ~CacheWriter();
  CacheWriter(const CacheWriter&) = delete;

  /// Stores one frame, then its checksum. Throws CacheError: disk full.
  void write(int64_t index, const uint8_t* frame);

 private:
  enum class Lock { held, busy, gone };
  CacheWriter(const std::string& path, const CacheShape& shape) : path_(path), shape_(shape) {}
  Lock lock();
  void initialise();
  void put(const void* bytes, int64_t count, int64_t at);
  std::string path_;
  CacheShape shape_;
  int fd_ = -1;
};

}  // namespace distal
