#pragma once
// Networks that OpenVINO reads, for the formats ONNX and IR.

#include <map>
#include <memory>
#include <string>

#include "distal/networks/format.h"

namespace distal {

/// Inputs, outputs and the texts of rt_info. Throws Error: built without OpenVINO, unreadable.
NetworkDescription openvino_description(const std::string& file);
std::unique_ptr<ItemNetwork> openvino_network(const ItemNetworkSetup& setup);

}  // namespace distal
