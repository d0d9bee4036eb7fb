#include "distal/cli/doctor_network.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/networks/format.h"
#include "distal/networks/input_form.h"
#include "distal/networks/network.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

Json ports_json(const std::vector<NetworkPort>& ports) {
  Json rows = Json::array();
  for (const auto& port : ports)
    rows.push_back({{"name", port.name}, {"type", port.type}, {"shape", port.shape}});
  return rows;
}

void print_ports(const char* title, const std::vector<NetworkPort>& ports) {
  for (const auto& port : ports) fmt::print("{:<10} {}\n", title, port_text(port));
  if (ports.empty()) fmt::print("{:<10} the file does not say\n", title);
}

std::string classes_line(const std::vector<std::string>& classes) {
  if (classes.empty()) return "neither the file nor a file beside it says them";
  return excerpt(fmt::format("{}: {}", classes.size(), fmt::join(classes, ", ")), 300);
}

}  // namespace

bool is_network_file(const std::string& path) { return network_format(path) != nullptr; }

void doctor_network(const std::string& file, bool json) {
  const NetworkFormat& format = *network_format(file);
  const NetworkDescription description = describe_network(file);
  std::vector<std::string> guesses;
  const std::string section = network_section(file, description, &guesses);
  if (json) {
    const Json found = {{"file", file},
                        {"format", format.title()},
                        {"engine", format.engine()},
                        {"executes_code", description.executes_code},
                        {"inputs", ports_json(description.inputs)},
                        {"outputs", ports_json(description.outputs)},
                        {"classes", description.classes},
                        {"metadata", description.metadata},
                        {"recipe", section},
                        {"guesses", guesses}};
    fmt::print("{}\n", json_text(found, 2));
    return;
  }
  fmt::print("{:<10} {}, {}, computed by {}\n", "file", printable(file), format.title(),
             format.engine());
  print_ports("input", description.inputs);
  print_ports("output", description.outputs);
  fmt::print("{:<10} {}\n", "classes", classes_line(description.classes));
  fmt::print("{:<10} {}\n", "code",
             description.executes_code ? network_warning(file) : "executes none");
  fmt::print("\n{}\n", printable(section));
  for (const auto& guess : guesses) fmt::print("  {}\n", printable(guess));
}

}  // namespace distal
