// X3D-XS: the network of models/x3d.h, published for clips of 4 frames, 12 frames apart, 160 px:
// 0.6 GMAC a clip.

#include "distal/base/catalogue.h"
#include "distal/models/x3d.h"

namespace distal::backbones {
namespace {

struct X3dXs final : X3dBackbone {
  explicit X3dXs(const Options& options) : X3dBackbone("x3d_xs", options) {}
};

}  // namespace

extern const Entry<Backbone> x3d_xs;
const Entry<Backbone> x3d_xs =
    entry<Backbone, X3dXs>("narrow 3D network of depthwise convolutions with squeeze-excitation; "
                           "published for 4 frames, 12 apart, 160 px",
                           "Feichtenhofer, X3D: Expanding Architectures for Efficient Video "
                           "Recognition, CVPR 2020, arXiv 2004.04730");

}  // namespace distal::backbones
