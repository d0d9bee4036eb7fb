#pragma once
// A file as an answer, whole or a part of it.

#include <memory>
#include <string>

#include <httplib.h>

namespace distal::serve {

/// Most bytes of an answer to a Range, even where more was asked: a browser has six connections to
/// a server for all its tabs, and a paused video must keep none of them.
inline constexpr int64_t kMostOfRange = 2 << 20;

struct ByteRange {
  int64_t first = 0;
  int64_t count = 0;
};

/// The part of `size` bytes that a header Range asks for, at most kMostOfRange; of several parts
/// the first. Nothing where it is none that HTTP knows. Throws Refusal: 416, it lies outside.
std::optional<ByteRange> range_of(const std::string& header, int64_t size);

/// Makes the file the answer: 200, or 206 where `range` asks for a part. Throws Refusal: 404, 416.
void answer_with_file(const std::string& path, const std::string& type, const std::string& range,
                      bool head, httplib::Response& response);

}  // namespace distal::serve
