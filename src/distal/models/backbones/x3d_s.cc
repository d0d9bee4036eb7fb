// X3D-S: the network of models/x3d.h, published for clips of 13 frames, 6 frames apart, 160 px: 2.0
// GMAC a clip.

#include "distal/base/catalogue.h"
#include "distal/models/x3d.h"

namespace distal::backbones {
namespace {

struct X3dS final : X3dBackbone {
  explicit X3dS(const Options& options) : X3dBackbone("x3d_s", options) {}
};

}  // namespace

extern const Entry<Backbone> x3d_s;
const Entry<Backbone> x3d_s =
    entry<Backbone, X3dS>("narrow 3D network of depthwise convolutions with squeeze-excitation; "
                          "published for 13 frames, 6 apart, 160 px",
                          "Feichtenhofer, X3D: Expanding Architectures for Efficient Video "
                          "Recognition, CVPR 2020, arXiv 2004.04730");

}  // namespace distal::backbones
