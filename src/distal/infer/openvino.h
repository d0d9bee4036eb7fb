#pragma once
// The only room with OpenVINO: frozen models on processors.

#include <functional>
#include <string>
#include <vector>

#include "distal/infer/engine.h"
#include "distal/infer/onnx.h"

namespace distal {

/// Version and devices of OpenVINO in one line; says so where distal was built without it.
std::string openvino_line();
/// Whether distal was built with OpenVINO and it finds the processor.
bool openvino_present();
/// What the processor computes in, as OpenVINO says it: "FP32", "BF16", "INT8", ...
std::vector<std::string> openvino_capabilities();

struct OpenvinoOptions {
  int64_t batch = 8;    // clips of a request, at most; fewer are filled up with zeros, so an answer
                        // does not depend on its company
  int64_t threads = 0;  // 0: all
  int64_t clips =
      0;  // that will be asked about in all, so that no thread waits for a second batch; 0: many
  std::string precision = "auto";  // f32, or bf16 where the processor has it; auto: f32, but bf16
                                   // for what an int8 model leaves in float (infer/quantise.h)
};

/// Its answers are ready in the order of the questions; one thread submits and takes them. Throws
/// Error: built without OpenVINO, a precision the processor lacks, a model OpenVINO refuses;
/// submit: clips of another size than the model's; the answer's get: OpenVINO failed.
std::unique_ptr<Engine> openvino_engine(const OnnxModel& model, const OpenvinoOptions& options);
/// Of a file .onnx or .xml that distal exported. One that takes frames is entered at its `clips`:
/// the engine takes clips all the same. Throws Error as above, and where it cannot be read.
std::unique_ptr<Engine> openvino_file_engine(const std::string& path,
                                             const OpenvinoOptions& options);

/// float32 [N, K]: what a file that takes frames says of frames uint8 [N, T, H, W, 3], computed in
/// float32 by the whole graph. Throws Error as openvino_file_engine does, and for a file that takes
/// clips.
torch::Tensor openvino_probabilities(const std::string& path, const torch::Tensor& frames);

/// OpenVINO's own pair of files, PATH.xml and PATH.bin beside it, in float32. The metadata are in
/// the section rt_info of the .xml.
void save_openvino(const OnnxModel& model, const std::string& path_xml);

/// Shows `see` every tensor named, [1, ...] in float32, for one clip [1, 3, T, H, W]: what
/// calibration looks at. The tensors are gone after it.
using SeeTensor = std::function<void(const std::string& name, const torch::Tensor& tensor)>;
std::function<void(const torch::Tensor& clip, const SeeTensor& see)> openvino_probe(
    const OnnxModel& model, const std::vector<std::string>& names, int64_t threads);

}  // namespace distal
