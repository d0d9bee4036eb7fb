// R3D-18: every convolution spans time and space. Without an early max pool it costs five times as
// much as resnet3d of depth 18.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/video_resnet.h"

namespace distal::backbones {
namespace {

class R3d18 final : public Backbone {
 public:
  using Options = VideoResNetOptions;
  explicit R3d18(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return video_resnet({"r3d_18", Span::space_time, Span::space_time}, options_, classes, random);
  }

 private:
  VideoResNetOptions options_;
};

}  // namespace

extern const Entry<Backbone> r3d_18;
const Entry<Backbone> r3d_18 = entry<Backbone, R3d18>(
    "3D residual network that sees every frame at half the picture's size: heavy",
    "Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018, "
    "arXiv 1711.11248");

}  // namespace distal::backbones
