#include "distal/infer/openvino.h"

#include "distal/deploy/export_target.h"

namespace distal::targets {
namespace {

class Onnx final : public ExportTarget {
 public:
  std::string title() const override { return "ONNX"; }
  std::string remark() const override { return "opset 17"; }
  std::vector<std::string> endings() const override { return {".onnx"}; }
  void write_graph(const OnnxModel& graph, UnfinishedFile& files) const override {
    files.write(graph.serialised());
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

extern const Entry<ExportTarget> onnx;
const Entry<ExportTarget> onnx =
    entry<ExportTarget, Onnx>("one file that most runtimes read", "onnx.proto of ONNX 1.12");

}  // namespace distal::targets
