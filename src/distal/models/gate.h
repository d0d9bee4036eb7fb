#pragma once
// The bf16 gate. Some CPU builds compute wrong bf16 gradients for some convolutions, silently: in
// LibTorch 2.13 (oneDNN 3.12, AVX-512 BF16) the weight gradient of conv3d is uninitialised memory
// when 1 < T < temporal kernel, which 3D ResNets meet on short clips (models/convolution.h goes
// round that case). Before a net is trained in bf16 each distinct convolution it would run (shape,
// stride, padding, groups, bias, layout) is compared with float32: output, input gradient and
// parameter gradients, with freed memory poisoned by NaN before. A convolution that differs by more
// than 2 % (bf16 rounding alone: about 0.4 %) or is not finite computes in float32 from then on,
// under autocast too. Data and weights of the comparison are drawn from fixed generators, and
// parameter gradients are compared whether the layer is frozen or not: the verdict depends on
// shapes alone, layers that call alike share it, and a run that continues with other weights takes
// the same path.

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

class Net;

struct GateReport {
  struct Row {
    std::string layer;   // first layer with this call; names as in weight files
    std::string call;    // input shape, weight shape, stride, padding, groups, bias, layout
    int64_t layers = 1;  // how many layers make this call
    // |bf16 - f32| / |f32|; infinity where not finite
    double output_error = 0;
    double input_error = 0;
    double parameter_error = 0;
    bool safe = true;  // false: now computes in float32
  };
  std::vector<Row> rows;
  int64_t unsafe() const;
  std::string text() const;  // one line, and one more for each convolution that takes the safe path
};

/// True where the CPU multiplies bf16 in hardware (AVX-512 BF16 or AMX): elsewhere bf16 is slower
/// than float32.
bool cpu_has_bf16();

/// Runs `net`, which lies on the CPU, once on a random clip batch of `clips` sizes [N, 3, T, H, W],
/// checks its convolutions (each distinct call once in a process) and sets the unsafe ones to full
/// precision. Weights, buffers and the training mode stay as they were; gradients are not touched.
GateReport gate(Net& net, const std::vector<int64_t>& clips, double tolerance = 0.02);

/// While it lives, operations on a kind of device that profit compute in bf16 (autocast), on this
/// thread. Forward only.
class Bf16Scope {
 public:
  explicit Bf16Scope(torch::DeviceType device = torch::kCPU);
  ~Bf16Scope();
  Bf16Scope(const Bf16Scope&) = delete;

 private:
  torch::DeviceType device_;
  bool was_enabled_;
};

}  // namespace distal
