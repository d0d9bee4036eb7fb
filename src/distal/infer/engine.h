#pragma once
// Engines evaluate trained models: LibTorch, or OpenVINO on the CPU (infer/openvino.h). Several
// batches may be in flight, so decoding and evaluation overlap.

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "distal/models/model_fwd.h"
#include "distal/models/output.h"

namespace distal {

class Engine {
 public:
  virtual ~Engine() = default;
  /// Submits clips float32 [N, 3, T, H, W] with N at most batch(). Blocks until fewer than
  /// requests() batches are in flight. The computation may happen in get() of the future. The
  /// future may outlive the engine. Clips and outputs are on the CPU, on whatever device the
  /// network is. Only one thread may submit and get.
  virtual std::future<Output> submit(const torch::Tensor& clips) = 0;
  virtual int64_t requests() const { return 1; }
  virtual int64_t batch() const = 0;  // clips that a batch should have
  /// Whether the last bit of an output depends on the other clips of the batch.
  virtual bool company_counts() const = 0;
  Output run(const torch::Tensor& clips) { return submit(clips).get(); }
};

/// Runs the network itself in evaluation mode, on the device of its parameters. It is the reference
/// for other engines.
std::unique_ptr<Engine> libtorch_engine(Model net);

/// The number of clips from which a frozen graph is faster. It takes 0.1 to 0.7 s to compile and
/// scores up to three times as fast (distal bench score).
constexpr int64_t kWorthFreezing = 256;

/// The faster engine for `clips` clips of size `clip`, [3, T, H, W]. It is OpenVINO from
/// `worth_freezing` clips on, if OpenVINO is available and the network is on the CPU. Otherwise it
/// is LibTorch. LibTorch also evaluates a network that cannot be frozen. `note` (may be null) then
/// gets the reason. A network of others (Net::network) has an engine of its own, and LibTorch
/// evaluates its head. `at_once` is the number of clips in flight; 0: all. `precision`
/// (OpenvinoOptions) applies to OpenVINO. LibTorch computes in float32.
std::unique_ptr<Engine> quicker_engine(Model net, const std::vector<int64_t>& clip, int64_t clips,
                                       int64_t worth_freezing, std::string* note,
                                       int64_t at_once = 0, const std::string& precision = "auto");

}  // namespace distal
