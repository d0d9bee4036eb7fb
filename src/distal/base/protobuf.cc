#include "distal/base/protobuf.h"

namespace distal {
namespace {

enum Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
std::string key(int field, Wire wire) { return varint(static_cast<uint64_t>(field << 3 | wire)); }

// The next variable-length number; nothing where the bytes end before it does.
std::optional<uint64_t> take_varint(std::string_view& rest) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest[0]);
    rest.remove_prefix(1);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

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

std::optional<ProtoField> take_field(std::string_view& rest) {
  const auto key = take_varint(rest);
  if (!key) return std::nullopt;
  const uint64_t wire = *key & 7;
  ProtoField field{.number = *key >> 3, .is_bytes = wire == kBytes};
  std::optional<uint64_t> length;  // of what follows the key
  if (wire == kVarint) {
    const auto value = take_varint(rest);
    if (!value) return std::nullopt;
    field.value = *value;
    length = 0;
  } else if (wire == kBytes) {
    length = take_varint(rest);
  } else if (wire == kFixed64 || wire == kFixed32) {
    length = wire == kFixed64 ? 8 : 4;
  }
  if (!length || *length > rest.size()) return std::nullopt;
  if (field.is_bytes) field.bytes = rest.substr(0, *length);
  rest.remove_prefix(*length);
  return field;
}

}  // namespace distal
