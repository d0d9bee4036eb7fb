#include "infer/engine.h"

namespace distal {
namespace {

class LibtorchEngine final : public Engine {
 public:
  explicit LibtorchEngine(Model net) : net_(std::move(net)) {
    net_->eval();
    const auto parameters = net_->parameters();
    if (!parameters.empty()) device_ = parameters[0].device();
  }
  std::future<Output> submit(const at::Tensor& clips) override {
    const torch::NoGradGuard no_grad;
    const Output output = net_->forward(clips.to(device_));
    std::promise<Output> done;
    done.set_value({output.logits.to(at::kCPU), output.embedding.to(at::kCPU)});
    return done.get_future();
  }

  int64_t batch() const override { return 32; }

 private:
  Model net_;
  at::Device device_ = at::kCPU;
};

}  // namespace

std::unique_ptr<Engine> libtorch_engine(Model net) { return std::make_unique<LibtorchEngine>(std::move(net)); }

}  // namespace distal
