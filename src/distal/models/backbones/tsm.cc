// TSM: TSN whose residual blocks pass one eighth of the channels to the next and one eighth to the
// previous frame. No further parameter, no further multiplication; it sees the order of the frames.
// `online: true` passes them on only.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/frame_net.h"

namespace distal::backbones {
namespace {

class Tsm final : public Backbone {
 public:
  struct Options : FrameOptions {
    Options() { shift = true; }
  };
  explicit Tsm(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return frame_net(options_, classes, random);
  }

 private:
  FrameOptions options_;
};

}  // namespace

extern const Entry<Backbone> tsm;
const Entry<Backbone> tsm = entry<Backbone, Tsm>(
    "2D network on each frame that exchanges channels with its neighbours: light, sees motion",
    "Lin, Gan, Han, TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019, arXiv "
    "1811.08383");

}  // namespace distal::backbones
