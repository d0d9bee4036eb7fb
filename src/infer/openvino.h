#pragma once
// The only room with OpenVINO: frozen models on processors.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "infer/onnx.h"

namespace distal {

/// Version and devices of OpenVINO in one line; says so where distal was built without it.
std::string openvino_line();
/// Whether distal was built with OpenVINO and it finds the processor.
bool openvino_present();
/// What the processor computes in, as OpenVINO says it: "FP32", "BF16", "INT8", ...
std::vector<std::string> openvino_capabilities();

struct OpenvinoOptions {
  int64_t batch = 8;              // clips of a request, at most; fewer are filled up with zeros, so an answer does not depend on its company
  int64_t threads = 0;            // 0: all
  std::string precision = "f32";  // or bf16, where the processor has it; int8 is in the model (infer/quantise.h)
};

/// Throws Error: built without OpenVINO, a precision the processor lacks, a model OpenVINO refuses.
std::unique_ptr<Engine> openvino_engine(const OnnxModel& model, const OpenvinoOptions& options);
/// Of a file .onnx or .xml that distal exported. Throws Error as above, and where it cannot be read.
std::unique_ptr<Engine> openvino_file_engine(const std::string& path, const OpenvinoOptions& options);

/// OpenVINO's own pair of files, PATH.xml and PATH.bin beside it, in float32.
void save_openvino(const OnnxModel& model, const std::string& path_xml);

using Tensorwise = std::map<std::string, torch::Tensor>;
/// A function that gives every tensor named for clips [batch, 3, T, H, W], in float32: what calibration looks at.
std::function<Tensorwise(const torch::Tensor& clips)> openvino_probe(const OnnxModel& model, const std::vector<std::string>& names, int64_t batch);

}  // namespace distal
