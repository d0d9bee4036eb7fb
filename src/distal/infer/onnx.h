#pragma once
// An ONNX model in memory (onnx.proto of ONNX 1.12: IR version 8, opset 17): operations in the
// order of their execution on named tensors, with the batch as the one free dimension. What the
// passes of this room rewrite and what becomes a file. Clips [N, 3, T, H, W] enter as `clips`;
// `logits` [N, K] and `embedding` [N, D] leave, all float32.

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <torch/types.h>

namespace distal {

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

struct OnnxNode {
  std::string type;                 // "Conv", as in ONNX's list of operators
  std::vector<std::string> inputs;  // names; empty: an optional input that is left out
  std::string output;
  std::map<std::string, OnnxAttribute> attributes;
};

struct OnnxModel {
  std::vector<OnnxNode> nodes;
  std::map<std::string, torch::Tensor> constants;  // float32, int64, int8 or uint8, by name
  std::vector<int64_t> clip;                       // [3, T, H, W] of the clips it takes
  int64_t classes = 0;                             // K
  int64_t features = 0;                            // D
  std::map<std::string, std::string> metadata;     // name to text, for other programs

  /// The file's content. Throws Error above the format's 2 GB.
  std::string serialised() const;
  /// How many nodes read a tensor; an output of the model counts as one more.
  int64_t readers(const std::string& name) const;
};

/// Whether the bytes are a whole ONNX file from outside: fields of a message to their end, with a
/// graph among them. A file that was cut off is none. For a look before libraries that print what
/// they think of it.
bool is_onnx(std::string_view bytes);

}  // namespace distal
