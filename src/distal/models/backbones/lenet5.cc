// LeNet-5 with ReLUs and max pools: two 5x5 convolutions with pools, a third to 120 features, a
// hidden layer of 84. Width 0.5 is LeNet-5-Half (3, 8, 60, 42). Names as published with PyTorch
// code (votrinhan88/divbfkd): C1, C3, C5, F6; its classifier `logits` is `fc` here. Deviations: the
// one input channel is the mean of a clip's three; pictures larger than 32 px are looked at in
// every place where the net fits; logits are averaged over frames and places, and the embedding
// with them, as in frame nets.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/classifier.h"
#include "distal/models/layers.h"

namespace distal::backbones {
namespace {

class LeNet5 final : public Classifier {
 public:
  LeNet5(double width, double dropout, int64_t classes) {
    const auto scaled = [width](int64_t channels) {
      return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width));
    };
    c1_ = register_module("C1", std::make_shared<Conv>(five(1, scaled(6))));
    c3_ = register_module("C3", std::make_shared<Conv>(five(scaled(6), scaled(16))));
    c5_ = register_module("C5", std::make_shared<Conv>(five(scaled(16), scaled(120))));
    f6_ = register_module("F6", std::make_shared<Linear>(scaled(120), scaled(84)));
    add_head(scaled(84), classes, dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{"lenet5", 1, 32}.check(clips);
    auto x = clips.mean(1).flatten(0, 1).unsqueeze(1);  // [N*T, 1, H, W]
    for (const auto& conv : {c1_, c3_})
      x = at::max_pool2d(conv->forward(x).relu_(), {2, 2}, {2, 2});
    x = c5_->forward(x).relu_().permute({0, 2, 3, 1});
    const auto rows = f6_->forward(x).relu_().reshape({clips.size(0), -1, f6_->weight.size(0)});
    const auto embedding = pooled(rows.transpose(1, 2));
    return {head(embedding), embedding};
  }

  /// Random weights; the hidden layer's keep the scale of what a ReLU halves.
  void initialise_all(const Random& random) {
    initialise(*this, random);
    const torch::NoGradGuard no_grad;
    f6_->weight.mul_(100 * std::sqrt(2.0 / static_cast<double>(f6_->weight.size(1))));
  }

 private:
  static ConvShape five(int64_t in, int64_t out) {
    ConvShape shape = cube(2, in, out, 5);
    shape.padding = {0, 0};
    shape.bias = true;
    shape.normed = false;
    return shape;
  }
  std::shared_ptr<Conv> c1_, c3_, c5_;
  std::shared_ptr<Linear> f6_;
};

class LeNet5Backbone final : public Backbone {
 public:
  struct Options {
    double width = 1;
    double dropout = 0;
    void visit(OptionVisitor& v) const {
      v("width", width, "channel multiplier; 1 is LeNet-5, 0.5 LeNet-5-Half", between(0.2, 16));
      v("dropout", dropout, "share of the features dropped before the classifier",
        between(0, 0.99));
    }
    bool operator==(const Options&) const = default;
  };
  explicit LeNet5Backbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    const auto net = std::make_shared<LeNet5>(options_.width, options_.dropout, classes);
    net->initialise_all(random);
    return net;
  }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> lenet5;
const Entry<Backbone> lenet5 = entry<Backbone, LeNet5Backbone>(
    "tiny 2D network for small grey pictures and tests, mean over the frames: blind to their order",
    "LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, "
    "Proceedings of the IEEE 86(11), 1998");

}  // namespace distal::backbones
