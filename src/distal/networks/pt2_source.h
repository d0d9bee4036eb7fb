#pragma once
// What the source that AOTInductor packs beside its compiled code says of inputs and outputs. The
// code checks its inputs, and the messages of these checks are the only place that states them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "distal/networks/network.h"

namespace distal {

struct Pt2Source {
  std::vector<NetworkPort> inputs, outputs;  // outputs without types and shapes
  int64_t least_batch = 1;                   // of the first input
};
/// Of the wrapper's C++ source. What it does not say is left empty.
Pt2Source read_pt2_source(std::string_view source);

}  // namespace distal
