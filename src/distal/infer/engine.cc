#include "distal/infer/engine.h"

#include "distal/base/error.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/models/device.h"
#include "distal/models/model.h"

namespace distal {
namespace {

class LibtorchEngine final : public Engine {
 public:
  explicit LibtorchEngine(Model net) : net_(std::move(net)), device_(device_of(*net_)) {
    net_->eval();
  }
  std::future<Output> submit(const at::Tensor& clips) override {
    const torch::NoGradGuard no_grad;
    const Output output = net_->forward(clips.to(device_));
    std::promise<Output> done;
    done.set_value({output.logits.to(at::kCPU), output.embedding.to(at::kCPU)});
    return done.get_future();
  }
  int64_t batch() const override { return 32; }
  bool company_counts() const override { return true; }

 private:
  Model net_;
  at::Device device_;
};

}  // namespace

std::unique_ptr<Engine> libtorch_engine(Model net) {
  return std::make_unique<LibtorchEngine>(std::move(net));
}

std::unique_ptr<Engine> quicker_engine(Model net, const std::vector<int64_t>& clip, int64_t clips,
                                       int64_t worth_freezing, std::string* note, int64_t at_once,
                                       const std::string& precision) {
  if (clips < worth_freezing || !device_of(*net).is_cpu() || net->network() || !openvino_present())
    return libtorch_engine(std::move(net));
  try {
    OpenvinoOptions options;
    options.clips = at_once > 0 ? at_once : clips;
    options.precision = precision;
    return openvino_engine(freeze(*net, clip), options);
  } catch (const Error& error) {
    if (note) *note = fmt::format("evaluated by LibTorch: {}", error.what());
    return libtorch_engine(std::move(net));
  }
}

}  // namespace distal
