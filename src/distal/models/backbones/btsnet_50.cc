// BTSNet with 50 layers.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/btsnet.h"

namespace distal::backbones {
namespace {

class Btsnet50 final : public Backbone {
 public:
  using Options = BtsnetOptions;
  explicit Btsnet50(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    return btsnet("btsnet_50", {3, 4, 6, 3}, options_, classes, random);
  }

 private:
  BtsnetOptions options_;
};

}  // namespace

extern const Entry<Backbone> btsnet_50;
const Entry<Backbone> btsnet_50 = entry<Backbone, Btsnet50>(
    "btsnet_26 with 50 layers: heavier, not better without pre-training",
    "Hong, Choi, Blockwise Temporal-Spatial Pathway Network, ICIP 2021, arXiv 2208.03040");

}  // namespace distal::backbones
