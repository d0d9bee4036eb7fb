#pragma once
// The video ResNets of torchvision (Tran, Wang, Torresani, Ray, LeCun, Paluri, "A Closer Look at
// Spatiotemporal Convolutions for Action Recognition", CVPR 2018, arXiv 1711.11248): a stem that
// halves the picture but not the frame rate and has no max pool, four stages of two basic blocks,
// mean, classifier. They differ in what their convolutions span. Names as published: stem.0/1,
// layerL.B.conv1.0/1, layerL.B.conv2.0/1, layerL.B.downsample.0/1, fc; of a factorised convolution
// conv1.0.0 spans space, conv1.0.1 is its norm, conv1.0.3 spans time (in the stem 0, 1, 3, with the
// norm 4). Any clip length. Published numbers of parameters: width 64, 400 classes.

#include <cstdint>

#include "distal/models/layers.h"
#include "distal/models/model_fwd.h"

namespace distal {

class OptionVisitor;
class Random;

enum class Span {
  space_time,  // 3x3x3
  space,       // 1x3x3, and the stage keeps its number of frames
  factorised,  // 1x3x3, norm, ReLU, 3x1x1, with about the parameters of 3x3x3
};

struct VideoResNetKind {
  const char* name;  // of the backbone
  Span early;        // stem (7x7 in space) and layer1
  Span late;         // layer2 to layer4
};

struct VideoResNetOptions {
  int64_t width = 64;
  double dropout = 0;
  void visit(OptionVisitor& v) const;
  bool operator==(const VideoResNetOptions&) const = default;
};

/// With random weights. Of another width than 64 the factorised stem has 45/64 of it between its
/// two convolutions.
Model video_resnet(const VideoResNetKind& kind, const VideoResNetOptions& options, int64_t classes,
                   const Random& random);

/// A 3D convolution with an extent and a stride of its own in T, H and W, padding k/2.
ConvShape box(int64_t in, int64_t out, std::vector<int64_t> kernel, std::vector<int64_t> stride);

}  // namespace distal
