// ONNX: a graph that PyTorch, TensorFlow and others export.

#include <filesystem>

#include "distal/base/catalogue.h"
#include "distal/base/files.h"
#include "distal/networks/format.h"
#include "distal/networks/onnx_file.h"
#include "distal/networks/openvino_network.h"

namespace distal::formats {

class Onnx final : public NetworkFormat {
 public:
  std::string title() const override { return "ONNX"; }
  std::string ending() const override { return ".onnx"; }
  std::string engine() const override { return "OpenVINO"; }

  NetworkDescription describe(const std::string& file) const override {
    const OnnxFile about = read(file);
    require_external(file, about);
    NetworkDescription description = openvino_description(file);
    description.metadata = about.metadata;
    return description;
  }
  std::vector<std::string> content(const std::string& file) const override {
    std::vector<std::string> files = {file};
    for (const auto& name : read(file).external) files.push_back(beside(file, name));
    return files;
  }
  std::unique_ptr<ItemNetwork> open(const ItemNetworkSetup& setup) const override {
    return openvino_network(setup);
  }

 private:
  // Before OpenVINO, which tries one reader after the other on what it does not know, and prints.
  static OnnxFile read(const std::string& file) {
    const MappedFile mapped(file);
    return read_onnx({mapped.data(), mapped.size()}, file);
  }
  static std::string beside(const std::string& file, const std::string& name) {
    return (std::filesystem::path(file).parent_path() / name).string();
  }
  static void require_external(const std::string& file, const OnnxFile& about) {
    for (const auto& name : about.external) {
      std::error_code unknown;
      if (!std::filesystem::is_regular_file(beside(file, name), unknown))
        fail("{}: its weights, {}, are missing; copy both files", file, beside(file, name));
    }
  }
};

extern const Entry<NetworkFormat> onnx;
const Entry<NetworkFormat> onnx = entry<NetworkFormat, Onnx>(
    "a graph, computed by OpenVINO", "ONNX, Open Neural Network Exchange, https://onnx.ai");

}  // namespace distal::formats
