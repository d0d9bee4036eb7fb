#pragma once
// Frame nets: a 2D network looks at each frame, the clip's logits are the mean of its frames'
// logits. That is TSN (Wang, Xiong, Wang, Qiao, Lin, Tang, Van Gool, "Temporal Segment Networks",
// ECCV 2016, arXiv 1608.00859); with the temporal shift in its blocks it is TSM (layers.h). The
// classifier is linear, so the mean of logits is computed as the logits of the mean feature, which
// is the embedding. Deviation: in training, dropout is drawn once per clip instead of once per
// frame. `online`: uni-directional TSM (Lin, Gan, Han, ICCV 2019), for frames that come one after
// another. As published, one channel in shift_div comes from the frame before and none from the
// frame after, so a frame's features do not depend on later frames. Deviation: the paper answers
// for each frame, here the clip's mean does. The parameters are those of TSM, their values fit one
// kind only. Bases: resnet18, resnet50 (names of torchvision: conv1, bn1, layerL.B..., fc) and the
// MobileNets with folded batch norms (Howard et al., arXiv 1704.04861; Sandler et al.,
// "MobileNetV2", CVPR 2018, arXiv 1801.04381), named by operation (opNN.weight, opNN.bias) as in
// the TFLite graphs, padding by TensorFlow's SAME; input x / 127.5 - 1.

#include <optional>
#include <string>

#include "distal/models/classifier.h"
#include "distal/models/layers.h"

namespace distal {

class OptionVisitor;
class Random;

struct FrameOptions {
  std::string base = "mobilenet_v2";
  std::optional<double>
      width;  // channel multiplier; absent: 0.5 for mobilenet_v1, 1 for the others
  std::string norm = "folded";  // of the MobileNets
  double dropout = 0.5;
  int64_t shift_div = 8;
  bool online = false;
  bool shift = false;  // not an option: set by the backbone
  void visit(OptionVisitor& v) const;
  bool operator==(const FrameOptions&) const = default;
};

class FrameNet : public Classifier {
 public:
  explicit FrameNet(const FrameOptions& options) : options_(options) {}
  Output forward(const torch::Tensor& clips) override;

  bool online() const { return options_.shift && options_.online; }
  /// Of a stream, for an online net: the next frame [1, 3, H, W] to its feature [1, D]. `before`:
  /// what the frame before passes on, empty before the first. The mean over the first T frames of a
  /// stream is forward's embedding of them as a clip.
  torch::Tensor next_frame(const torch::Tensor& frame, std::vector<torch::Tensor>& before);

 protected:
  /// frames [N*T, 3, H, W], channels last, to the last map [N*T, D, h, w]; `shift` acts where the
  /// base wants it.
  virtual torch::Tensor features(
      const torch::Tensor& frames,
      const std::function<torch::Tensor(const torch::Tensor&)>& shift) = 0;
  FrameOptions options_;
};

/// The net named by `options.base`, with random weights.
Model frame_net(const FrameOptions& options, int64_t classes, const Random& random);

}  // namespace distal
