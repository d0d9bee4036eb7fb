#pragma once
// Which arithmetic a training uses: float32, or bf16 autocast on the device of the net. On the CPU
// bf16 stands behind the numerical gate of models/gate.h; other devices have no faults that it
// knows.

#include <memory>
#include <optional>
#include <string>

#include <torch/types.h>

#include "distal/models/gate.h"

namespace distal {

class Net;

class Precision {
 public:
  /// `wanted`: auto (bf16 where the net's device computes in it), f32, bf16.
  Precision(Net& net, const std::string& wanted);
  /// Runs the gate on the first batch [N, 3, T, H, W]; batches of features need none, nor do other
  /// devices than the CPU.
  void prepare(const torch::Tensor& clips);
  /// Autocast while it lives; null in float32.
  std::unique_ptr<Bf16Scope> scope() const;
  std::string text() const;  // what ran, and which convolutions took the safe path

 private:
  Net& net_;
  torch::Device device_;
  bool bf16_;
  std::optional<GateReport> report_;
};

}  // namespace distal
