#include "distal/base/protobuf.h"

namespace distal {
namespace {

enum Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
std::string key(int field, Wire wire) { return varint(static_cast<uint64_t>(field << 3 | wire)); }

}  // namespace

std::string little_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 0xFF);
  return out;
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string varint_field(int field, int64_t value) {
  return key(field, kVarint) + varint(static_cast<uint64_t>(value));
}
std::string fixed32_field(int field, uint32_t bits) {
  return key(field, kFixed32) + little_endian(bits, 4);
}
std::string fixed64_field(int field, uint64_t bits) {
  return key(field, kFixed64) + little_endian(bits, 8);
}

std::string bytes_field(int field, std::string_view bytes) {
  std::string out = key(field, kBytes) + varint(bytes.size());
  return out.append(bytes);
}

}  // namespace distal
