// MC3-18, mixed convolutions: stem and first stage span time and space, the others look at each
// frame alone and keep the frame rate.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/video_resnet.h"

namespace distal::backbones {
namespace {

class Mc318 final : public Backbone {
 public:
  using Options = VideoResNetOptions;
  explicit Mc318(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return video_resnet({"mc3_18", Span::space_time, Span::space}, options_, classes, random);
  }

 private:
  VideoResNetOptions options_;
};

}  // namespace

extern const Entry<Backbone> mc3_18;
const Entry<Backbone> mc3_18 =
    entry<Backbone, Mc318>("residual network that looks at time early and at single frames later: "
                           "a third of the weights of r3d_18",
                           "Tran et al., A Closer Look at Spatiotemporal Convolutions for Action "
                           "Recognition, CVPR 2018, arXiv 1711.11248");

}  // namespace distal::backbones
