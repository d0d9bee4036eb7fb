// BTSNet with 26 layers: of the three the best from random weights on small data sets, and the
// lightest.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/btsnet.h"

namespace distal::backbones {
namespace {

class Btsnet26 final : public Backbone {
 public:
  using Options = BtsnetOptions;
  explicit Btsnet26(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return btsnet("btsnet_26", {2, 2, 2, 2}, options_, classes, random);
  }

 private:
  BtsnetOptions options_;
};

}  // namespace

extern const Entry<Backbone> btsnet_26;
const Entry<Backbone> btsnet_26 = entry<Backbone, Btsnet26>(
    "3D residual network that chooses between views far in time, in space or in both; 26 layers, a "
    "teacher",
    "Hong, Choi, Blockwise Temporal-Spatial Pathway Network, ICIP 2021, arXiv 2208.03040");

}  // namespace distal::backbones
