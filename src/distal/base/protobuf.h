#pragma once
// The wire format of Protocol Buffers (protobuf.dev, "Encoding"), written and read: what
// TensorBoard's events and ONNX files are made of. A message is its fields, one after the other; a
// message inside a message is a bytes field.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace distal {

std::string little_endian(uint64_t value, int bytes);
std::string varint(uint64_t value);

std::string varint_field(int field, int64_t value);          // int32, int64, bool, enum
std::string fixed32_field(int field, uint32_t bits);         // fixed32, float
std::string fixed64_field(int field, uint64_t bits);         // fixed64, double
std::string bytes_field(int field, std::string_view bytes);  // string, bytes, message

struct ProtoField {
  uint64_t number = 0;
  bool is_bytes = false;
  uint64_t value = 0;      // of int32, int64, bool, enum; of others 0
  std::string_view bytes;  // where is_bytes: a part of what was read
};
/// Takes the first field of a message off `rest`. Nothing where the bytes end before it does, or
/// are no field.
std::optional<ProtoField> take_field(std::string_view& rest);

}  // namespace distal
