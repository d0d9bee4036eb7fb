#pragma once
// The graph of an ONNX file of others, to be part of a graph of ours. Its operations stay as they
// are, byte for byte, but for the names of tensors.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace distal {

struct OnnxPart {
  std::vector<std::string> inputs;        // names, without those that have a value in the file
  std::vector<std::string> outputs;       // names
  std::vector<std::string> nodes;         // NodeProto, in the order of execution
  std::vector<std::string> initialisers;  // fields of a GraphProto: initializer, sparse_initializer
  std::vector<std::string> functions;     // FunctionProto
  std::map<std::string, int64_t> opsets;  // version by domain; "": ONNX's own
  int64_t ir_version = 0;
};

/// Reads a file. The name of every tensor and node gets `prefix`, so that none can be one of ours.
/// Weights that lie in files beside it are taken in. Remarks and the sizes of inner tensors are
/// left out. Throws Error: damaged, a file of weights is missing, an opset before 13.
OnnxPart read_onnx_part(const std::string& file, const std::string& prefix);

}  // namespace distal
