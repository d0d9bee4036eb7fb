#pragma once
// Who evaluates a model that is no longer trained: LibTorch, or OpenVINO on a processor
// (infer/openvino.h). Several batches may be under way at once, so that decoding and evaluation
// overlap.

#include <future>
#include <memory>
#include <string>

#include "distal/models/model.h"

namespace distal {

class Engine {
 public:
  virtual ~Engine() = default;
  /// Begins with clips float32 [N, 3, T, H, W], N at most batch(); waits until fewer than
  /// requests() batches are under way. The answer's get() may compute it and may outlive the
  /// engine. Clips and answers lie on the CPU, wherever the network does. One thread submits and
  /// takes answers.
  virtual std::future<Output> submit(const torch::Tensor& clips) = 0;
  virtual int64_t requests() const { return 1; }
  virtual int64_t batch() const = 0;  // clips that a batch should have
  virtual bool company_counts()
      const = 0;  // whether the last bit of an answer depends on the other clips of its batch
  Output run(const torch::Tensor& clips) { return submit(clips).get(); }
};

/// The network itself in evaluation mode, where its parameters lie (processor or GPU): what other
/// engines are measured against.
std::unique_ptr<Engine> libtorch_engine(Model net);

/// From so many clips on a frozen graph pays: it is ready after 0.1 to 0.7 s and scores up to three
/// times as fast (distal bench score).
constexpr int64_t kWorthFreezing = 256;

/// The quicker of both for so many clips [3, T, H, W]: OpenVINO, if it is there and the network is
/// on the processor, from `worth_freezing` clips on. A network that cannot be frozen is evaluated
/// by LibTorch, and `note` (may be null) says why. `at_once`: so many of them are asked about at a
/// time; 0: all. `precision` (OpenvinoOptions) is of OpenVINO; LibTorch computes in float32.
std::unique_ptr<Engine> quicker_engine(Model net, const std::vector<int64_t>& clip, int64_t clips,
                                       int64_t worth_freezing, std::string* note,
                                       int64_t at_once = 0, const std::string& precision = "auto");

}  // namespace distal
