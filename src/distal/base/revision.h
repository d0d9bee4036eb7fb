#pragma once
// What distal was built from. Written by the build (cmake/revision.cmake).

#include <string>

namespace distal {

/// The git revision, `unknown` outside a checkout. `+` marks uncommitted changes.
const std::string& revision();

/// A hash of the sources that decide the results of a study: 16 hex digits. It covers the rooms
/// below report, deploy and cli, without tests. Comments, white space, commits and the place of the
/// checkout do not change it; any change of code does. It says nothing of libraries, compiler flags
/// or plugins (plugins_id() in base/plugin.h).
const std::string& computation_id();

}  // namespace distal
