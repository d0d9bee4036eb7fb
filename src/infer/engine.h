#pragma once
// Who evaluates a model that is no longer trained: LibTorch, or OpenVINO on a processor (infer/openvino.h). Several batches may be under way at
// once, so that decoding and evaluation overlap.

#include <future>
#include <memory>

#include "models/model.h"

namespace distal {

class Engine {
 public:
  virtual ~Engine() = default;
  /// Begins with clips float32 [N, 3, T, H, W]; waits until fewer than requests() batches are under way. One thread calls.
  virtual std::future<Output> submit(const torch::Tensor& clips) = 0;
  virtual int64_t requests() const { return 1; }
  virtual int64_t batch() const = 0;  // clips that a batch should have
  Output run(const torch::Tensor& clips) { return submit(clips).get(); }
};

/// The network itself in evaluation mode, where its parameters lie (processor or GPU): what other engines are measured against.
std::unique_ptr<Engine> libtorch_engine(Model net);

}  // namespace distal
