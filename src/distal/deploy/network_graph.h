#pragma once
// The graph of a model whose backbone is a network of others (models/backbones/network.cc): clips
// to what the network takes, its own graph, pooling, the head. The network is an ONNX file, whose
// opset the graph has, or an .xml file of OpenVINO. The operations around the network are the same
// in all opsets from 13 on.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/infer/onnx.h"

namespace distal {

struct SavedModel;

/// As freeze() (infer/freeze.h) for other models. `clip` is [3, T, H, W]. `out` is the file that it
/// is for. The model was loaded, so its network is there. Throws Error: the network is a program,
/// an .xml file where `out` is none, has several inputs; as read_onnx_part does.
OnnxModel graph_with_network(const SavedModel& saved, const std::vector<int64_t>& clip,
                             const std::string& out);

}  // namespace distal
