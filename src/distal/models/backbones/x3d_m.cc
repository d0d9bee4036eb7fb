// X3D-M: the network of models/x3d.h, published for clips of 16 frames, 5 frames apart, 224 px: 4.7
// GMAC a clip.

#include "distal/base/catalogue.h"
#include "distal/models/x3d.h"

namespace distal::backbones {
namespace {

struct X3dM final : X3dBackbone {
  explicit X3dM(const Options& options) : X3dBackbone("x3d_m", options) {}
};

}  // namespace

extern const Entry<Backbone> x3d_m;
const Entry<Backbone> x3d_m =
    entry<Backbone, X3dM>("narrow 3D network of depthwise convolutions with squeeze-excitation; "
                          "published for 16 frames, 5 apart, 224 px",
                          "Feichtenhofer, X3D: Expanding Architectures for Efficient Video "
                          "Recognition, CVPR 2020, arXiv 2004.04730");

}  // namespace distal::backbones
