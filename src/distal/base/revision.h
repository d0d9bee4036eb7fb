#pragma once
// The revision that distal was built from. The build generates the definitions
// (cmake/revision.cmake).

#include <string>

namespace distal {

/// The git revision, `unknown` outside a checkout. `+` marks uncommitted changes.
const std::string& revision();

/// A hash of the sources that the results of a study depend on: 16 hex digits. It covers all rooms
/// but report, deploy and cli, without tests. Comments, white space, commits and the path of the
/// checkout do not change it. Any change of code does. It does not cover libraries, compiler flags
/// or plugins (plugins_id() in base/plugin.h).
const std::string& computation_id();

}  // namespace distal
