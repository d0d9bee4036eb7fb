#include "distal/infer/onnx.h"

#include <bit>
#include <optional>

#include "distal/base/error.h"
#include "distal/base/protobuf.h"

namespace distal {
namespace {

// Field numbers and enumerations: onnx.proto.
constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpset = 17;
constexpr int64_t kGraph = 7;

int64_t data_type(c10::ScalarType type) {
  switch (type) {
    case at::kFloat: return 1;
    case at::kByte: return 2;
    case at::kChar: return 3;
    case at::kLong: return 7;
    default: break;
  }
  expect(false, "a constant is float32, int64, int8 or uint8");
  return 0;
}

std::string int_fields(int field, const std::vector<int64_t>& values) {
  std::string out;
  for (const int64_t value : values) out += varint_field(field, value);
  return out;
}

std::string tensor_proto(const std::string& name, const at::Tensor& tensor) {
  const auto whole = tensor.contiguous();
  return int_fields(1, whole.sizes().vec()) + varint_field(2, data_type(whole.scalar_type())) +
         bytes_field(8, name) +
         bytes_field(9, {static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
}

std::string attribute_proto(const std::string& name, const OnnxAttribute& attribute) {
  std::string out = bytes_field(1, name);
  if (const auto* real = std::get_if<float>(&attribute))
    return out + fixed32_field(2, std::bit_cast<uint32_t>(*real)) + varint_field(20, 1);
  if (const auto* whole = std::get_if<int64_t>(&attribute))
    return out + varint_field(3, *whole) + varint_field(20, 2);
  return out + int_fields(8, std::get<std::vector<int64_t>>(attribute)) + varint_field(20, 7);
}

std::string node_proto(const OnnxNode& node) {
  std::string out;
  for (const auto& input : node.inputs) out += bytes_field(1, input);
  out += bytes_field(2, node.output) + bytes_field(3, node.output) + bytes_field(4, node.type);
  for (const auto& [name, attribute] : node.attributes)
    out += bytes_field(5, attribute_proto(name, attribute));
  return out;
}

// A float32 tensor [N, sizes...].
std::string value_proto(const std::string& name, const std::vector<int64_t>& sizes) {
  std::string shape = bytes_field(1, bytes_field(2, "N"));
  for (const int64_t size : sizes) shape += bytes_field(1, varint_field(1, size));
  return bytes_field(1, name) +
         bytes_field(
             2, bytes_field(1, varint_field(1, data_type(at::kFloat)) + bytes_field(2, shape)));
}

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

bool is_onnx(std::string_view rest) {
  // protobuf.dev, "Encoding"
  constexpr uint64_t kVarint = 0;
  constexpr uint64_t kFixed64 = 1;
  constexpr uint64_t kBytes = 2;
  constexpr uint64_t kFixed32 = 5;
  bool graph = false;
  while (!rest.empty()) {
    const auto key = take_varint(rest);
    const uint64_t wire = key.value_or(7) & 7;
    std::optional<uint64_t> length;  // of what follows the key
    if (wire == kVarint && take_varint(rest))
      length = 0;
    else if (wire == kBytes)
      length = take_varint(rest);
    else if (wire == kFixed64 || wire == kFixed32)
      length = wire == kFixed64 ? 8 : 4;
    if (!length || *length > rest.size()) return false;
    graph |= *key == (uint64_t{kGraph} << 3 | kBytes);
    rest.remove_prefix(*length);
  }
  return graph;
}

std::string OnnxModel::serialised() const {
  std::string graph;
  for (const auto& node : nodes) graph += bytes_field(1, node_proto(node));
  graph += bytes_field(2, "distal");
  size_t bytes = graph.size();
  for (const auto& [name, tensor] : constants) bytes += tensor.nbytes() + 100;
  if (bytes >= size_t{1} << 31)
    fail("the model takes {} bytes and an ONNX file holds 2 GB; export it as safetensors", bytes);
  graph.reserve(bytes);
  for (const auto& [name, tensor] : constants) graph += bytes_field(5, tensor_proto(name, tensor));
  graph += bytes_field(11, value_proto("clips", clip)) +
           bytes_field(12, value_proto("logits", {classes})) +
           bytes_field(12, value_proto("embedding", {features}));
  std::string model = varint_field(1, kIrVersion) + bytes_field(2, "distal") +
                      bytes_field(7, graph) +
                      bytes_field(8, bytes_field(1, "") + varint_field(2, kOpset));
  for (const auto& [name, text] : metadata)
    model += bytes_field(14, bytes_field(1, name) + bytes_field(2, text));
  return model;
}

int64_t OnnxModel::readers(const std::string& name) const {
  int64_t readers = name == "logits" || name == "embedding";
  for (const auto& node : nodes)
    readers += std::count(node.inputs.begin(), node.inputs.end(), name);
  return readers;
}

}  // namespace distal
