#pragma once
// Networks that are programs, for the formats TorchScript and pt2. They are asked item by item.

#include <memory>
#include <string>

#include "distal/networks/format.h"

namespace distal {

/// What of a file its process is told.
struct ProgramFile {
  std::string model;        // of a .pt2: the model in it; empty: TorchScript
  int64_t least_batch = 1;  // rows that it wants at least; an item is repeated
  std::string output;       // position in the tuple it returns, or key; empty: the first
};
std::unique_ptr<ItemNetwork> program_network(const ItemNetworkSetup& setup,
                                             const ProgramFile& file);

}  // namespace distal
