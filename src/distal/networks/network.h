#pragma once
// Networks from elsewhere: a file that another program wrote, with an input of its own.
//
//   network: {file: dino.onnx, size_px: 224, mean: [0.485, 0.456, 0.406], std: [...], layout: nchw}
//
// OpenVINO computes .onnx and .xml. AOTInductor's loader computes .pt2. LibTorch computes .pt
// (TorchScript). The last two are programs. They run in a process of their own (program_worker.h).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

class OptionVisitor;

/// How a network takes clips and what it gives: the section `network` of a recipe.
struct NetworkOptions {
  std::string file;     // .onnx, .xml, .pt2 or .pt
  int64_t size_px = 0;  // width and height of the input; 0: as the file says
  int64_t frames = 0;   // frames of a call; 1: single frames; 0: as the file says
  std::vector<double> mean = {0.485, 0.456, 0.406};  // R, G, B, of the values after `range`
  std::vector<double> std = {0.229, 0.224, 0.225};   // R, G, B
  std::string range = "unit";    // of pixels before mean and std: unit [0, 1], byte [0, 255],
                                 // signed [-1, 1]
  std::string channels = "rgb";  // their order in the input: rgb or bgr
  std::string layout;  // nchw, nhwc, ncthw, nthwc or ntchw; empty: what the input's shape says
  std::string input, output;     // names of tensors; empty: the only one
  std::string pooling = "mean";  // over frames of a clip, tokens and positions: mean, max, or first
                                 // (the class token; the mean over frames)
  std::string precision = "f32";  // or bf16, where the processor has it; of .onnx and .xml
  double timeout_s = 30;          // of a call of run, where the file is a program
  void visit(OptionVisitor& v) const;
  bool operator==(const NetworkOptions&) const = default;
};

struct NetworkPort {
  std::string name;            // may be empty
  std::string type;            // "f32", "u8", "f16", ...; empty: the file does not say
  std::vector<int64_t> shape;  // -1: any size; empty: the file does not say
};

struct NetworkDescription {
  std::vector<NetworkPort> inputs, outputs;     // empty: the file does not say
  std::vector<std::string> classes;             // in the order of the outputs; empty: not said
  bool executes_code = false;                   // opening the file executes a program
  std::map<std::string, std::string> metadata;  // of the file itself
};

/// What a file says about itself and its side files say about it. Decodes and executes nothing.
/// Throws Error: no such file, another ending, damaged.
NetworkDescription describe_network(const std::string& file);

/// The section `network: {...}` of a recipe that fits a file, in one line. What the file does not
/// say is left at a default that is a guess; `guesses` (may be null) gets a sentence about each.
std::string network_section(const std::string& file, const NetworkDescription& description,
                            std::vector<std::string>* guesses = nullptr);

/// Whether opening a file of this name executes a program (.pt2, .pt). Looks at the name alone.
bool network_executes_code(const std::string& file);
/// The warning that belongs to each use of such a file; empty for others.
std::string network_warning(const std::string& file);

/// Throws UsageError `place: ...`: no file, an ending of no format, mean or std without three
/// numbers, std of 0. Looks at the options alone, for a recipe's checks.
void check_network(const NetworkOptions& options, const std::string& place);

/// What ForeignNetwork::id() returns, without opening the network: a hash, in 16 digits, of the
/// content of its files and of the options that change what it gives. Throws Error: unreadable.
std::string network_id(const NetworkOptions& options);

/// One thread uses it.
class ForeignNetwork {
 public:
  virtual ~ForeignNetwork() = default;
  /// clips: float32 [N, 3, T, H, W] in [-1, 1], RGB, on the CPU, H = W = size_px(). T = frames(),
  /// or any T where frames() is 1. Returns float32 [N, D] on the CPU: the output, pooled. A row
  /// does not depend on the other clips. Throws Error: another shape, the file fails; Interrupted.
  virtual torch::Tensor run(const torch::Tensor& clips) = 0;
  virtual int64_t width() const = 0;  // D
  virtual int64_t size_px() const = 0;
  virtual int64_t frames() const = 0;  // of a clip; 1: single frames
  /// Names of the D outputs, as the file says them; empty: it does not.
  virtual const std::vector<std::string>& classes() const = 0;
  virtual std::string id() const = 0;  // network_id(options)
};

/// Opens a network and runs it once. `place` begins messages: "oracle.network". `say` (may be
/// empty) gets the warning of a program, and remarks. Throws Error with what the file wants: its
/// input, layout, size, frames, names of tensors, or the shape of its output are other than the
/// options say; a precision that the processor lacks.
std::unique_ptr<ForeignNetwork> open_network(
    const NetworkOptions& options, const std::string& place,
    const std::function<void(const std::string&)>& say = {});

}  // namespace distal
