// BTSNet with 101 layers.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/btsnet.h"

namespace distal::backbones {
namespace {

class Btsnet101 final : public Backbone {
 public:
  using Options = BtsnetOptions;
  explicit Btsnet101(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return btsnet("btsnet_101", {3, 4, 23, 3}, options_, classes, random);
  }

 private:
  BtsnetOptions options_;
};

}  // namespace

extern const Entry<Backbone> btsnet_101;
const Entry<Backbone> btsnet_101 = entry<Backbone, Btsnet101>(
    "btsnet_26 with 101 layers: heaviest",
    "Hong, Choi, Blockwise Temporal-Spatial Pathway Network, ICIP 2021, arXiv 2208.03040");

}  // namespace distal::backbones
