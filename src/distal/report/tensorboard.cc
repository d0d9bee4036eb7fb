#include "distal/report/tensorboard.h"

#include <array>
#include <bit>

#include "distal/base/protobuf.h"

namespace distal {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0x82F63B78U : c >> 1;
    table[i] = c;
  }
  return table;
}

std::string event(double wall_time_s, int64_t step, const std::string& content) {
  std::string out = fixed64_field(1, std::bit_cast<uint64_t>(wall_time_s));
  if (step != 0) out += varint_field(2, step);
  return out + content;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  uint32_t crc = ~0U;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

std::string tf_record(std::string_view bytes) {
  const std::string length = little_endian(bytes.size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + std::string(bytes) + little_endian(masked_crc32c(bytes), 4);
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
