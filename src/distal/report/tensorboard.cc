#include "distal/report/tensorboard.h"

#include <algorithm>
#include <bit>

#include <boost/crc.hpp>

#include "distal/base/protobuf.h"

namespace distal {
namespace {

// Castagnoli, reflected; begun with ones, and turned over at the end.
using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

constexpr size_t kTimeBytes = 9;    // a tag and a double
constexpr size_t kFrameBytes = 16;  // length and its sum before a record, the sum of it behind

uint64_t number_at(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  Crc32c crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

std::string tf_record(std::string_view bytes) {
  const std::string length = little_endian(bytes.size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + std::string(bytes) +
         little_endian(masked_crc32c(bytes), 4);
}

std::optional<TfRecord> first_record(std::string_view bytes) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  const uint64_t length = number_at(bytes, 0, 8);
  if (number_at(bytes, 8, 4) != masked_crc32c(bytes.substr(0, 8))) return std::nullopt;
  if (length > bytes.size() - kFrameBytes) return std::nullopt;
  const std::string_view record = bytes.substr(12, length);
  if (number_at(bytes, 12 + length, 4) != masked_crc32c(record)) return std::nullopt;
  return TfRecord{record, length + kFrameBytes};
}

std::string scalar_content(const Scalar& scalar) {
  const auto simple_value = std::bit_cast<uint32_t>(static_cast<float>(scalar.value));
  const std::string value = bytes_field(1, scalar.tag) + fixed32_field(2, simple_value);
  const std::string step = scalar.step != 0 ? varint_field(2, scalar.step) : "";
  return step + bytes_field(5, bytes_field(1, value));
}

std::string timed_event(double wall_time_s, std::string_view content) {
  return fixed64_field(1, std::bit_cast<uint64_t>(wall_time_s)).append(content);
}

std::string_view event_content(std::string_view event) {
  return event.substr(std::min(kTimeBytes, event.size()));
}

std::string event_file(const std::vector<Scalar>& scalars, double wall_time_s) {
  std::string out = tf_record(timed_event(wall_time_s, bytes_field(3, "brain.Event:2")));
  for (const auto& scalar : scalars)
    out += tf_record(timed_event(wall_time_s, scalar_content(scalar)));
  return out;
}

}  // namespace distal
