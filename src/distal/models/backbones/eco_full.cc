// ECO full: ECO Lite beside the rest of BN-Inception on each frame, whose features are averaged
// over the frames. The embedding is the 1024 features of the frames, then the 512 of the 3D tail.
// Deviations: in training, dropout is drawn once per clip, not once per frame; where the published
// graph, made for 224 px, meets an odd map, its pool of stride 2 is rounded up like the
// convolutions beside it, so that every size can be taken.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/eco.h"

namespace distal::backbones {
namespace {

class EcoFull final : public EcoNet {
 public:
  EcoFull(const EcoOptions& options, int64_t classes) : EcoNet("eco_full", options.width) {
    int64_t channels = scaled(64) + scaled(96) + scaled(96) + scaled(64);  // of inception_3b
    channels =
        add_halving("inception_3c", channels, 128, 160, 96);  // its double 3x3 begins in EcoNet
    channels = add_inception("inception_4a", channels, {224, 64, 96, 96, 128, 128});
    channels = add_inception("inception_4b", channels, {192, 96, 128, 96, 128, 128});
    channels = add_inception("inception_4c", channels, {160, 128, 160, 128, 160, 128});
    channels = add_inception("inception_4d", channels, {96, 128, 192, 160, 192, 128});
    add_double("inception_4e", channels, 192, 256);
    channels = add_halving("inception_4e", channels, 128, 192, 256);
    channels = add_inception("inception_5a", channels, {352, 192, 320, 160, 224, 128});
    channels = add_inception("inception_5b", channels, {352, 192, 320, 192, 224, 128});
    add_head(channels + scaled(512), classes, options.dropout);
  }

  Output forward(const at::Tensor& clips) override {
    const int64_t count = clips.size(0);
    const auto maps = per_frame(clips);
    const auto tail = residual_tail(maps.shared, count);
    const auto embedding = at::cat({frame_path(maps, count), tail}, 1);
    tap("global_pool_gn02_reshape", embedding);
    return {head(embedding), embedding};
  }

 private:
  // An inception block of stride 2: 3x3, double 3x3, and a maximum that passes its input on.
  int64_t add_halving(const std::string& name, int64_t in, int64_t reduce, int64_t triple,
                      int64_t double_triple) {
    conv(2, name + "_3x3_reduce", in, scaled(reduce), 1);
    conv(2, name + "_3x3", scaled(reduce), scaled(triple), 3, 2);
    conv(2, name + "_double_3x3_2", scaled(double_triple), scaled(double_triple), 3, 2);
    return scaled(triple) + scaled(double_triple) + in;
  }
  at::Tensor halving(const std::string& name, const at::Tensor& x, const at::Tensor& once) {
    // x has passed a ReLU: zeros beyond an odd map's edge are no maximum.
    const auto even = at::constant_pad_nd(x, {0, x.size(3) % 2, 0, x.size(2) % 2});
    const auto pool = at::max_pool2d(even, {3, 3}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/true);
    return tapped(name + "_output", at::cat({unit(name + "_3x3", unit(name + "_3x3_reduce", x)),
                                             unit(name + "_double_3x3_2", once), pool},
                                            1));
  }
  at::Tensor frame_path(const FrameMaps& maps, int64_t count) {
    auto x = halving("inception_3c", maps.inception_3b, maps.shared);
    for (const char* name : {"inception_4a", "inception_4b", "inception_4c", "inception_4d"})
      x = inception(name, x);
    x = halving("inception_4e", x, doubled("inception_4e", x));
    x = inception("inception_5b", inception("inception_5a", x), Pool::max);
    const auto rows = pooled(x);  // [N*T, 1024]
    tap("global_pool2D", rows.unsqueeze(-1).unsqueeze(-1));
    return tapped("pool_fusion_st2D", rows.unflatten(0, {count, -1}).mean(1));
  }
};

class EcoFullBackbone final : public Backbone {
 public:
  struct Options : EcoOptions {
    Options() { dropout = 0.5; }
  };
  explicit EcoFullBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    auto net = std::make_shared<EcoFull>(options_, classes);
    initialise(*net, random);
    return net;
  }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> eco_full;
const Entry<Backbone> eco_full = entry<Backbone, EcoFullBackbone>(
    "ECO Lite beside a full 2D network on each frame: stronger, for 1.4 times the work; takes 4, "
    "8, 12, ... frames",
    "Zolfaghari, Singh, Brox, ECO: Efficient Convolutional Network for Online Video Understanding, "
    "ECCV 2018, arXiv 1804.09066");

}  // namespace distal::backbones
