// R(2+1)D-18: each convolution is one in space and one in time, with a norm and a ReLU between them
// and about as many parameters as the 3x3x3 it stands for.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/video_resnet.h"

namespace distal::backbones {
namespace {

class R2plus1d18 final : public Backbone {
 public:
  using Options = VideoResNetOptions;
  explicit R2plus1d18(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return video_resnet({"r2plus1d_18", Span::factorised, Span::factorised}, options_, classes,
                        random);
  }

 private:
  VideoResNetOptions options_;
};

}  // namespace

extern const Entry<Backbone> r2plus1d_18;
const Entry<Backbone> r2plus1d_18 =
    entry<Backbone, R2plus1d18>("3D residual network of convolutions in space followed by "
                                "convolutions in time: the most accurate of its paper, heavy",
                                "Tran et al., A Closer Look at Spatiotemporal Convolutions for "
                                "Action Recognition, CVPR 2018, arXiv 1711.11248");

}  // namespace distal::backbones
