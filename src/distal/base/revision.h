#pragma once
// The git revision distal was built from, `unknown` outside a checkout; `+` marks uncommitted changes. Written by the build.

#include <string>

namespace distal {

const std::string& revision();

}  // namespace distal
