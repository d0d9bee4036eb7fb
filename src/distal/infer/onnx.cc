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
  out += bytes_field(2, node.output) + bytes_field(3, node.name.empty() ? node.output : node.name) +
         bytes_field(4, node.type);
  for (const auto& [name, attribute] : node.attributes)
    out += bytes_field(5, attribute_proto(name, attribute));
  return out;
}

// Sizes that are not numbers.
constexpr int64_t kAnySize = -1;
constexpr int64_t kBatchSize = -2;
constexpr const char* kSizeNames[] = {"N", "H", "W"};  // of -2, -3 and -4

std::string dimension_proto(int64_t size) {
  if (size >= 0) return varint_field(1, size);
  return size == kAnySize ? std::string() : bytes_field(2, kSizeNames[kBatchSize - size]);
}

// Without sizes the shape is not said.
std::string value_proto(const std::string& name, c10::ScalarType type,
                        const std::vector<int64_t>& sizes) {
  if (sizes.empty())
    return bytes_field(1, name) + bytes_field(2, bytes_field(1, varint_field(1, data_type(type))));
  std::string shape;
  for (const int64_t size : sizes) shape += bytes_field(1, dimension_proto(size));
  return bytes_field(1, name) +
         bytes_field(2, bytes_field(1, varint_field(1, data_type(type)) + bytes_field(2, shape)));
}

std::string input_proto(const OnnxModel& model) {
  if (model.takes_frames)
    return value_proto("frames", at::kByte,
                       {kBatchSize, model.clip[1], kBatchSize - 1, kBatchSize - 2, 3});
  std::vector<int64_t> sizes = {kBatchSize};
  sizes.insert(sizes.end(), model.clip.begin(), model.clip.end());
  return value_proto("clips", at::kFloat, sizes);
}

}  // namespace

bool is_onnx(std::string_view rest) {
  bool graph = false;
  while (!rest.empty()) {
    const auto field = take_field(rest);
    if (!field) return false;
    graph |= field->number == uint64_t{kGraph} && field->is_bytes;
  }
  return graph;
}

std::string OnnxModel::serialised() const {
  std::string graph;
  size_t part_bytes = 0;
  std::string ports;
  for (const auto& node : nodes) {
    if (node.type != kOnnxPart) {
      graph += bytes_field(1, node_proto(node));
      continue;
    }
    if (!part) {
      std::vector<int64_t> sizes = {kBatchSize};
      sizes.insert(sizes.end(), part_output.begin(), part_output.end());
      ports = bytes_field(11, value_proto(node.output, at::kFloat, sizes)) +
              bytes_field(12, value_proto(node.inputs[0], at::kFloat, {}));
      continue;
    }
    for (const auto& inner : part->nodes) graph += bytes_field(1, inner);
    for (const auto& tensor : part->initialisers) part_bytes += tensor.size() + 16;
  }
  graph += bytes_field(2, "distal");
  size_t bytes = graph.size() + part_bytes;
  for (const auto& [name, tensor] : constants) bytes += tensor.nbytes() + 100;
  if (bytes >= size_t{1} << 31)
    fail("the model takes {} bytes and an ONNX file holds 2 GB; export it as safetensors", bytes);
  graph.reserve(bytes);
  for (const auto& [name, tensor] : constants) graph += bytes_field(5, tensor_proto(name, tensor));
  if (part) {
    for (const auto& tensor : part->initialisers) graph += tensor;
  }
  graph += bytes_field(11, input_proto(*this));
  if (takes_frames)
    graph += bytes_field(12, value_proto("probabilities", at::kFloat, {kBatchSize, classes}));
  graph += bytes_field(12, value_proto("logits", at::kFloat, {kBatchSize, classes})) +
           bytes_field(12, value_proto("embedding", at::kFloat, {kBatchSize, features})) + ports;
  std::string model = varint_field(1, part ? std::max(part->ir_version, kIrVersion) : kIrVersion) +
                      bytes_field(2, "distal") + bytes_field(7, graph);
  const std::map<std::string, int64_t> own = {{"", kOpset}};
  for (const auto& [domain, version] : part ? part->opsets : own)
    model += bytes_field(8, bytes_field(1, domain) + varint_field(2, version));
  if (part) {
    for (const auto& function : part->functions) model += bytes_field(25, function);
  }
  for (const auto& [name, text] : metadata)
    model += bytes_field(14, bytes_field(1, name) + bytes_field(2, text));
  return model;
}

int64_t OnnxModel::readers(const std::string& name) const {
  int64_t readers = name == "logits" || name == "embedding" || name == "probabilities";
  for (const auto& node : nodes)
    readers += std::count(node.inputs.begin(), node.inputs.end(), name);
  return readers;
}

}  // namespace distal
