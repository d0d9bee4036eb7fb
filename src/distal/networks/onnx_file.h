#pragma once
// What an ONNX file says beside its graph (onnx.proto of ONNX 1.12). OpenVINO reads the graph.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

struct OnnxFile {
  std::map<std::string, std::string> metadata;  // metadata_props
  std::vector<std::string> external;  // files with its weights, named from its own folder; sorted
};

/// Throws Error `place: ...`: no ONNX, cut off, messages nested too deep, weights outside of the
/// file's folder.
OnnxFile read_onnx(std::string_view bytes, const std::string& place);

}  // namespace distal
