#include "distal/report/tensorboard.h"

#include <bit>

#include <boost/crc.hpp>

#include "distal/base/protobuf.h"

namespace distal {
namespace {

// Castagnoli, reflected; begun with ones, and turned over at the end.
using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

std::string event(double wall_time_s, int64_t step, const std::string& content) {
  std::string out = fixed64_field(1, std::bit_cast<uint64_t>(wall_time_s));
  if (step != 0) out += varint_field(2, step);
  return out + content;
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

std::string event_file(const std::vector<Scalar>& scalars, double wall_time_s) {
  std::string out = tf_record(event(wall_time_s, 0, bytes_field(3, "brain.Event:2")));
  for (const auto& scalar : scalars) {
    const auto simple_value = std::bit_cast<uint32_t>(static_cast<float>(scalar.value));
    const std::string value = bytes_field(1, scalar.tag) + fixed32_field(2, simple_value);
    out += tf_record(event(wall_time_s, scalar.step, bytes_field(5, bytes_field(1, value))));
  }
  return out;
}

}  // namespace distal
