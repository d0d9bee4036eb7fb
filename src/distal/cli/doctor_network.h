#pragma once
// distal doctor FILE of a network: its inputs, outputs and classes, whether it executes code, and
// the section `network` of a recipe that fits. Executes nothing.

#include <string>

namespace distal {

/// By the ending of its name.
bool is_network_file(const std::string& path);
/// Prints; --json: the same as an object. Throws Error: unreadable, damaged.
void doctor_network(const std::string& file, bool json);

}  // namespace distal
