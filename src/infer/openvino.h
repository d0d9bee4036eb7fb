#pragma once
// The only room with OpenVINO: frozen models on processors. So far it says what is there (distal doctor).

#include <string>

namespace distal {

/// Version and devices of OpenVINO in one line; says so where distal was built without it.
std::string openvino_line();

}  // namespace distal
