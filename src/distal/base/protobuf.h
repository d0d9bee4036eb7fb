#pragma once
// The wire format of Protocol Buffers (protobuf.dev, "Encoding"), written: what TensorBoard's
// events and ONNX files are made of. A message is its fields, one after the other; a message inside
// a message is a bytes field.

#include <cstdint>
#include <string>
#include <string_view>

namespace distal {

std::string little_endian(uint64_t value, int bytes);
std::string varint(uint64_t value);

std::string varint_field(int field, int64_t value);          // int32, int64, bool, enum
std::string fixed32_field(int field, uint32_t bits);         // fixed32, float
std::string fixed64_field(int field, uint64_t bits);         // fixed64, double
std::string bytes_field(int field, std::string_view bytes);  // string, bytes, message

}  // namespace distal
