// TSN: no frame knows of the others; the order of the frames does not matter.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/frame_net.h"

namespace distal::backbones {
namespace {

class Tsn final : public Backbone {
 public:
  using Options = FrameOptions;
  explicit Tsn(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return frame_net(options_, classes, random);
  }

 private:
  FrameOptions options_;
};

}  // namespace

extern const Entry<Backbone> tsn;
const Entry<Backbone> tsn = entry<Backbone, Tsn>(
    "2D network on each frame, mean over the frames: light, blind to their order",
    "Wang et al., Temporal Segment Networks: Towards Good Practices for Deep Action Recognition, "
    "ECCV 2016, arXiv 1608.00859");

}  // namespace distal::backbones
