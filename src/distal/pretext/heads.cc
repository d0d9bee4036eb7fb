#include "distal/pretext/heads.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "distal/base/random.h"
#include "distal/models/layers.h"

namespace distal {
namespace {

std::shared_ptr<Linear> linear(int64_t in, int64_t out, double deviation, Random random) {
  const torch::NoGradGuard no_grad;
  auto layer = std::make_shared<Linear>(in, out);
  layer->weight.normal_(0, deviation, at::make_generator<at::CPUGeneratorImpl>(random()));
  layer->bias.zero_();
  return layer;
}

std::shared_ptr<Linear> kaiming(int64_t in, int64_t out, const Random& random) {
  return linear(in, out, std::sqrt(2 / static_cast<double>(in)), random);
}

}  // namespace

Mlp::Mlp(int64_t in, int64_t hidden, int64_t out, const Random& random)
    : first_(register_module("0", kaiming(in, hidden, random.stream("first")))),
      second_(register_module("1", kaiming(hidden, out, random.stream("second")))) {}

torch::Tensor Mlp::forward(const torch::Tensor& x) {
  const torch::Tensor hidden = first_->forward(x);
  return second_->forward(at::layer_norm(hidden, {hidden.size(1)}).relu());
}

std::shared_ptr<Linear> task_head(int64_t in, int64_t out, const Random& random) {
  return linear(in, out, 0.01, random);
}

}  // namespace distal
