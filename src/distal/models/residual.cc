#include "distal/models/residual.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"

namespace distal {
namespace {

std::vector<int64_t> blocks_per_stage(int64_t depth) {
  switch (depth) {
    case 10: return {1, 1, 1, 1};
    case 18: return {2, 2, 2, 2};
    case 34:
    case 50: return {3, 4, 6, 3};
    default: fail("resnet: there is no depth {}; there are 10, 18, 34 and 50", depth);
  }
}

}  // namespace

ResidualBlock::ResidualBlock(int dims, int64_t in, int64_t planes, int64_t stride,
                             bool bottleneck) {
  const int64_t out = bottleneck ? 4 * planes : planes;
  const auto shapes =
      bottleneck
          ? std::vector<ConvShape>{cube(dims, in, planes, 1), cube(dims, planes, planes, 3, stride),
                                   cube(dims, planes, out, 1)}
          : std::vector<ConvShape>{cube(dims, in, planes, 3, stride), cube(dims, planes, out, 3)};
  for (size_t i = 0; i < shapes.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    convs_.push_back(register_module("conv" + number, std::make_shared<Conv>(shapes[i])));
    norms_.push_back(register_module("bn" + number, std::make_shared<BatchNorm>(shapes[i].out)));
  }
  if (stride == 1 && in == out) return;
  const auto shortcut = register_module("downsample", std::make_shared<Sequence>());
  shortcut_conv_ =
      shortcut->register_module("0", std::make_shared<Conv>(cube(dims, in, out, 1, stride)));
  shortcut_norm_ = shortcut->register_module("1", std::make_shared<BatchNorm>(out));
}

at::Tensor ResidualBlock::forward(const at::Tensor& x, const Remap& remap) {
  auto y = remap ? remap(x) : x;
  for (size_t i = 0; i < convs_.size(); ++i) {
    if (i > 0) y = y.relu_();
    y = norms_[i]->forward(convs_[i]->forward(y));
  }
  return y.add_(shortcut_conv_ ? shortcut_norm_->forward(shortcut_conv_->forward(x)) : x).relu_();
}

ResidualStages::ResidualStages(torch::nn::Module& owner, int dims, int64_t depth, int64_t width)
    : channels_(width) {
  const bool bottleneck = depth >= 50;
  const auto blocks = blocks_per_stage(depth);
  for (size_t s = 0; s < blocks.size(); ++s) {
    const auto stage =
        owner.register_module("layer" + std::to_string(s + 1), std::make_shared<Sequence>());
    const int64_t planes = width << s;
    stages_.emplace_back();
    for (int64_t b = 0; b < blocks[s]; ++b) {
      const int64_t stride = s > 0 && b == 0 ? 2 : 1;
      const auto block =
          std::make_shared<ResidualBlock>(dims, channels_, planes, stride, bottleneck);
      stages_.back().push_back(stage->register_module(std::to_string(b), block));
      channels_ = bottleneck ? 4 * planes : planes;
    }
  }
}

at::Tensor ResidualStages::forward(at::Tensor x, const Remap& remap) const {
  for (size_t s = 0; s < stages_.size(); ++s) {
    for (const auto& block : stages_[s]) x = block->forward(x, remap);
    tap("layer" + std::to_string(s + 1), x);
  }
  return x;
}

}  // namespace distal
