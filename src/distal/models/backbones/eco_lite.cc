// ECO Lite: the shared frame network and the 3D residual tail alone.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/eco.h"

namespace distal::backbones {
namespace {

class EcoLite final : public EcoNet {
 public:
  EcoLite(const EcoOptions& options, int64_t classes) : EcoNet("eco_lite", options.width) {
    add_head(scaled(512), classes, options.dropout);
  }
  Output forward(const at::Tensor& clips) override {
    const auto maps = per_frame(clips);
    const auto embedding = residual_tail(maps.shared, clips.size(0));
    return {head(embedding), embedding};
  }
};

class EcoLiteBackbone final : public Backbone {
 public:
  using Options = EcoOptions;
  explicit EcoLiteBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    auto net = std::make_shared<EcoLite>(options_, classes);
    initialise(*net, random);
    return net;
  }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> eco_lite;
const Entry<Backbone> eco_lite = entry<Backbone, EcoLiteBackbone>(
    "2D network on each frame, a 3D residual tail over the stack; takes 4, 8, 12, ... frames",
    "Zolfaghari, Singh, Brox, ECO: Efficient Convolutional Network for Online Video Understanding, "
    "ECCV 2018, arXiv 1804.09066");

}  // namespace distal::backbones
