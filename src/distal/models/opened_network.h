#pragma once
// A network of others, opened once in a process. All nets that look through it share it.

#include <memory>

#include "distal/networks/network.h"

namespace distal {

/// Opens the network, or returns it where it is open already and its file is unchanged. Any thread
/// may call it and use what it returns. Throws Error as open_network does, with "network" in front.
std::shared_ptr<ForeignNetwork> opened_network(const NetworkOptions& options);

/// From now on opened_network throws UsageError for a file that is a program (--untrusted).
void refuse_network_programs();

}  // namespace distal
