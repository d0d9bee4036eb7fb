#include "distal/infer/openvino.h"

#include "distal/deploy/export_target.h"

namespace distal::targets {
namespace {

class Openvino final : public ExportTarget {
 public:
  std::string title() const override { return "OpenVINO"; }
  std::string remark() const override { return "OpenVINO, with FILE.bin"; }
  std::vector<std::string> endings() const override { return {".xml", ".bin"}; }
  // OpenVINO takes the name of the .bin from that of the .xml.
  void write_graph(const OnnxModel& graph, UnfinishedFile& files) const override {
    save_openvino(graph, files.name());
  }
  FileReader reader() const override { return openvino_reader(); }
  std::unique_ptr<Engine> open(const std::string& path, const OpenOptions& options) const override {
    return open_with_openvino(path, options);
  }
  torch::Tensor probabilities(const std::string& path, const torch::Tensor& frames) const override {
    return openvino_probabilities(path, frames);
  }
};

}  // namespace

extern const Entry<ExportTarget> openvino;
const Entry<ExportTarget> openvino = entry<ExportTarget, Openvino>(
    "OpenVINO's own pair of files, in float32; wants OpenVINO built in", "OpenVINO IR 11");

}  // namespace distal::targets
