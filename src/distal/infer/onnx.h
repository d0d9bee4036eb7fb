#pragma once
// An ONNX model in memory (onnx.proto of ONNX 1.12: IR version 8, opset 17): operations in the
// order of their execution on named tensors, with the batch as the one free dimension. What the
// passes of this room rewrite and what becomes a file. Clips [N, 3, T, H, W] enter as `clips`;
// `logits` [N, K] and `embedding` [N, D] leave, all float32. A model that takes frames gets them
// uint8 [N, T, H, W, 3], of any H and W, as `frames`. Its `clips` is a tensor between, and
// `probabilities` [N, K] leave before the others.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <torch/types.h>

#include "distal/infer/onnx_part.h"

namespace distal {

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

struct OnnxNode {
  std::string type;                 // "Conv", as in ONNX's list of operators
  std::vector<std::string> inputs;  // names; empty: an optional input that is left out
  std::string output;
  std::map<std::string, OnnxAttribute> attributes;
  std::string name = {};  // as viewers show it; empty: that of the output
};

/// The type of the node that stands for OnnxModel::part.
inline constexpr const char* kOnnxPart = "(network)";

struct OnnxModel {
  std::vector<OnnxNode> nodes;
  // A graph of others within; one node of type kOnnxPart stands for it. It is a part, or an .xml
  // file of OpenVINO, whose output has the sizes `part_output` (-1: any), which only save_openvino
  // and OpenVINO's engine can put in (infer/openvino.h).
  std::optional<OnnxPart> part;
  std::string part_xml;
  size_t part_xml_output = 0;  // which of its outputs
  std::vector<int64_t> part_output;
  std::map<std::string, torch::Tensor> constants;  // float32, int64, int8 or uint8, by name
  std::vector<int64_t> clip;                       // [3, T, H, W] of the clips it takes
  int64_t classes = 0;                             // K
  int64_t features = 0;                            // D
  bool takes_frames = false;                       // uint8 frames instead of clips
  std::map<std::string, std::string> metadata;     // name to text, for other programs

  /// The file's content. Throws Error above the format's 2 GB. With part_xml, what the part reads
  /// is one more output and what it writes one more input.
  std::string serialised() const;
  /// How many nodes read a tensor; an output of the model counts as one more.
  int64_t readers(const std::string& name) const;
};

/// Whether the bytes are a whole ONNX file from outside: fields of a message to their end, with a
/// graph among them. A file that was cut off is none. For a look before libraries that print what
/// they think of it.
bool is_onnx(std::string_view bytes);

}  // namespace distal
