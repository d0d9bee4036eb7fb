// OpenVINO's intermediate representation: a graph in FILE.xml and its weights in FILE.bin.

#include <filesystem>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/networks/format.h"
#include "distal/networks/openvino_network.h"

namespace distal::formats {

class Openvino final : public NetworkFormat {
 public:
  std::string title() const override { return "OpenVINO IR"; }
  std::string ending() const override { return ".xml"; }
  std::string engine() const override { return "OpenVINO"; }

  NetworkDescription describe(const std::string& file) const override {
    require_graph(file);
    return openvino_description(file);
  }
  std::vector<std::string> content(const std::string& file) const override {
    require_graph(file);
    return {file, weights_of(file)};
  }
  std::unique_ptr<ItemNetwork> open(const ItemNetworkSetup& setup) const override {
    return openvino_network(setup);
  }

 private:
  static std::string weights_of(const std::string& file) {
    return std::filesystem::path(file).replace_extension(".bin").string();
  }
  static void require_graph(const std::string& file) {
    const MappedFile mapped(file);
    constexpr size_t kHead = 1 << 16;
    const std::string_view head(mapped.data(), std::min(mapped.size(), kHead));
    const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (first == std::string_view::npos || head[first] != '<' ||
        head.find("<net") == std::string_view::npos)
      fail("{}: no network of OpenVINO (no <net> in it); give the .xml that openvino.save_model "
           "wrote",
           file);
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(weights_of(file), unknown))
      fail("{}: its weights, {}, are missing; copy both files", file, weights_of(file));
  }
};

extern const Entry<NetworkFormat> openvino;
const Entry<NetworkFormat> openvino = entry<NetworkFormat, Openvino>(
    "a graph with its weights beside it, computed by OpenVINO",
    "OpenVINO, intermediate representation, https://docs.openvino.ai");

}  // namespace distal::formats
