#pragma once
// What fuzz targets share. A target gives bytes to one reader of a room, which reads them or
// refuses them with an Error that a person can use. Whatever else leaves the reader is a finding:
// another exception, a broken promise, a sanitizer's report, more than ten seconds or two
// gigabytes.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal::fuzz {

/// A promise that the reader makes; a broken one ends the program, which libFuzzer keeps as a
/// finding.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken promise: %s\n", promise);
  std::abort();
}

/// A refusal is said in our words. A phrase that the input itself holds may be quoted, as it is
/// printed, and a colon of ours may follow it.
inline void require_own_words(std::string_view message, std::string_view bytes) {
  const std::string input = printable(bytes);
  constexpr std::array<std::string_view, 5> kForeign = {
      "[json.exception", "yaml-cpp", "std::", "Exception raised from", "basic_string"};
  require(!message.empty(), "an Error says something");
  for (const auto phrase : kForeign) {
    if (message.find(phrase) == std::string_view::npos ||
        input.find(phrase.substr(0, phrase.size() - 1)) != std::string::npos)
      continue;
    std::fprintf(stderr, "fuzz: a library's words in the message: %.*s\n",
                 static_cast<int>(message.size()), message.data());
    std::abort();
  }
}

/// Runs `read` on the input; it may refuse.
template <class Read>
void attempt(std::string_view input, const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    require_own_words(error.what(), input);
  }
}

/// Bytes as a regular file in memory, under a path that holds while this lives.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    require(file_ >= 0 &&
                write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "a file in memory can be made");
    path_ = fmt::format("/proc/self/fd/{}", file_);
  }
  ~MemoryFile() { close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

}  // namespace distal::fuzz

/// Defines the target: a function of `std::string_view input`.
#define DISTAL_FUZZ_TARGET(input)                                           \
  static void fuzz_one(std::string_view input);                             \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    fuzz_one({reinterpret_cast<const char*>(data), size});                  \
    return 0;                                                               \
  }                                                                         \
  static void fuzz_one(std::string_view input)
