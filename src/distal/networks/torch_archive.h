#pragma once
// The archives that PyTorch writes (.pt, .pt2: zip files), read without executing anything.

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace distal {

class TorchArchive {
 public:
  /// Throws Error `path: ...`: unreadable, no such archive, damaged.
  explicit TorchArchive(const std::string& path);
  ~TorchArchive();
  TorchArchive(const TorchArchive&) = delete;

  /// Names without the folder that all have in common.
  const std::vector<std::string>& names() const { return names_; }
  /// Throws Error: no such record, more than `most_bytes`.
  std::string record(const std::string& name, size_t most_bytes) const;
  /// Writes each record whose name begins with `prefix` to folder/NAME. Throws Error: a name that
  /// leads out of the folder, far more bytes than the file has, disk full.
  void unpack(const std::string& prefix, const std::string& folder) const;

 private:
  struct Reader;
  std::string path_;
  std::unique_ptr<Reader> reader_;
  std::vector<std::string> names_;
};

}  // namespace distal
