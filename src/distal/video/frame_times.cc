#include "distal/video/frame_times.h"

#include <bit>
#include <cstring>
#include <iterator>

#include <fmt/format.h>

namespace distal {
namespace {

template <class Number>
void append_numbers(const std::vector<Number>& numbers, fmt::memory_buffer& text) {
  for (size_t i = 0; i < numbers.size(); ++i)
    fmt::format_to(std::back_inserter(text), "{}{}", i == 0 ? "" : ",", numbers[i]);
}

}  // namespace

std::vector<int64_t> key_frames(const VideoInfo& info) {
  std::vector<int64_t> frames;
  for (size_t i = 0; i < info.key.size(); ++i) {
    if (info.key[i]) frames.push_back(static_cast<int64_t>(i));
  }
  return frames;
}

std::string frame_times_json(const VideoInfo& info) {
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "{{\"times\":[");
  append_numbers(info.time_s, text);
  fmt::format_to(std::back_inserter(text), "],\"keys\":[");
  append_numbers(key_frames(info), text);
  fmt::format_to(std::back_inserter(text), "]}}");
  return fmt::to_string(text);
}

std::string frame_times_f64(const VideoInfo& info) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(8 * info.time_s.size(), '\0');
  std::memcpy(bytes.data(), info.time_s.data(), bytes.size());
  return bytes;
}

}  // namespace distal
