#pragma once
// The residual stages that 2D and 3D ResNets share (He, Zhang, Ren, Sun, "Deep Residual Learning
// for Image Recognition", CVPR 2016, arXiv 1512.03385): basic blocks (depth 10, 18, 34) or
// bottlenecks with four times the width (50; the stride sits on the middle convolution), projection
// shortcuts where size or width change (type B). Names as published:
// layerL.B.conv1/bn1/conv2/bn2[/conv3/bn3], layerL.B.downsample.0/1.

#include <functional>

#include "distal/models/layers.h"

namespace distal {

using Remap = std::function<torch::Tensor(const torch::Tensor&)>;  // of what enters a block's first
                                                                   // convolution; may be empty

class ResidualBlock final : public torch::nn::Module {
 public:
  ResidualBlock(int dims, int64_t in, int64_t planes, int64_t stride, bool bottleneck);
  torch::Tensor forward(const torch::Tensor& x, const Remap& remap);

 private:
  std::vector<std::shared_ptr<Conv>> convs_;
  std::vector<std::shared_ptr<BatchNorm>> norms_;
  std::shared_ptr<Conv> shortcut_conv_;
  std::shared_ptr<BatchNorm> shortcut_norm_;
};

/// layer1 .. layer4 registered in `owner`.
class ResidualStages {
 public:
  /// depth 10, 18, 34 or 50; width: channels of the first stage (published: 64), doubled at each
  /// following stage.
  ResidualStages(torch::nn::Module& owner, int dims, int64_t depth, int64_t width);
  torch::Tensor forward(torch::Tensor x, const Remap& remap = {}) const;  // taps layer1 .. layer4
  int64_t channels() const { return channels_; }                          // of the last stage

 private:
  std::vector<std::vector<std::shared_ptr<ResidualBlock>>> stages_;
  int64_t channels_ = 0;
};

}  // namespace distal
