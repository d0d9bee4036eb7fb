#include "infer/openvino.h"

#ifdef DISTAL_OPENVINO
#include <openvino/runtime/core.hpp>
#endif

namespace distal {

std::string openvino_line() {
#ifdef DISTAL_OPENVINO
  ov::Core core;
  std::string line = ov::get_openvino_version().buildNumber;
  for (const auto& device : core.get_available_devices()) line += ", " + device + ": " + core.get_property(device, ov::device::full_name);
  return line;
#else
  return "not built in; set OpenVINO_DIR, or let make fetch its wheel";
#endif
}

}  // namespace distal
