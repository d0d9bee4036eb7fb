#pragma once
// The MobileNets as frame nets (models/frame_net.h). With the shift, MobileNetV2 shifts what enters
// the first convolution of each block with an identity shortcut, as the published TSM does.
// MobileNetV1 has no shortcuts and no published TSM: here it shifts before the depthwise
// convolution of each block that keeps size and width. `norm: batch` puts a batch norm behind every
// convolution (opNN_bn); it starts as the identity, so that folded weights loaded with `init` give
// the same numbers in evaluation mode.

#include "distal/models/frame_net.h"

namespace distal {

Model mobilenet_v1(const FrameOptions& options, int64_t classes);
Model mobilenet_v2(const FrameOptions& options, int64_t classes);

}  // namespace distal
