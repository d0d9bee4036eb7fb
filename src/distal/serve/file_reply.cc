#include "distal/serve/file_reply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

constexpr size_t kPiece = 256 << 10;

/// An open file, which may be removed or replaced meanwhile.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat about {};
    if (file_ < 0 || ::fstat(file_, &about) != 0 || !S_ISREG(about.st_mode)) {
      if (file_ >= 0) ::close(file_);
      file_ = -1;
      refuse_unknown("video: its file is gone; ask again");
    }
    size_ = about.st_size;
  }
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;

  int64_t size() const { return size_; }
  /// Fewer bytes where the file has become shorter.
  std::string read(int64_t first, int64_t count) const {
    std::string bytes(static_cast<size_t>(count), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got = ::pread(file_, bytes.data() + done, bytes.size() - done,
                                  first + static_cast<int64_t>(done));
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    bytes.resize(done);
    return bytes;
  }

 private:
  int file_;
  int64_t size_ = 0;
};

std::optional<int64_t> digits(std::string_view text) {
  int64_t value = 0;
  const auto [rest, trouble] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || trouble != std::errc() || rest != text.data() + text.size() || value < 0)
    return std::nullopt;
  return value;
}

[[noreturn]] void refuse_range(int64_t size) {
  throw Refusal(416, "bad_range", fmt::format("Range: the file has {} bytes; ask within", size));
}

ByteRange limited(int64_t first, int64_t last, int64_t size) {
  if (first >= size || last < first) refuse_range(size);
  return {first, std::min({last, size - 1, first + kMostOfRange - 1}) - first + 1};
}

}  // namespace

std::optional<ByteRange> range_of(const std::string& header, int64_t size) {
  std::string_view text = header;
  if (!text.starts_with("bytes=")) return std::nullopt;
  text = text.substr(6);
  text = text.substr(0, text.find(','));
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = digits(text.substr(0, dash));
  const auto last = digits(text.substr(dash + 1));
  if (first) return limited(*first, last.value_or(size - 1), size);
  if (!last) return std::nullopt;
  if (*last == 0) refuse_range(size);
  return limited(std::max<int64_t>(0, size - *last), size - 1, size);
}

void answer_with_file(const std::string& path, const std::string& type, const std::string& range,
                      bool head, httplib::Response& response) {
  const auto file = std::make_shared<OpenFile>(path);
  response.set_header("Accept-Ranges", "bytes");
  const auto part = range_of(range, file->size());
  if (part && !head) {
    std::string bytes = file->read(part->first, part->count);
    response.status = 206;
    response.set_header("Content-Range",
                        fmt::format("bytes {}-{}/{}", part->first,
                                    part->first + std::ssize(bytes) - 1, file->size()));
    return response.set_content(bytes, type);
  }
  response.status = 200;
  response.set_content_provider(static_cast<size_t>(file->size()), type,
                                [file](size_t offset, size_t count, httplib::DataSink& sink) {
                                  const std::string bytes =
                                      file->read(static_cast<int64_t>(offset),
                                                 static_cast<int64_t>(std::min(count, kPiece)));
                                  return !bytes.empty() && sink.write(bytes.data(), bytes.size());
                                });
}

}  // namespace distal::serve
