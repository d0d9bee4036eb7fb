// 3D ResNet of Hara, Kataoka, Satoh: a 7x7x7 stem that keeps the frame rate, an early max pool in
// time and space, four residual stages. Its layer names are the published ones (conv1, bn1,
// layerL.B..., fc), so that their weights load.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/classifier.h"
#include "distal/models/residual.h"

namespace distal::backbones {
namespace {

class ResNet3d final : public Classifier {
 public:
  ResNet3d(int64_t depth, int64_t width, double dropout, int64_t classes)
      : conv1_(register_module("conv1", std::make_shared<Conv>(stem(width)))),
        bn1_(register_module("bn1", std::make_shared<BatchNorm>(width))),
        stages_(*this, 3, depth, width) {
    add_head(stages_.channels(), classes, dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{"resnet3d"}.check(clips);
    auto x = conv1_->forward(clips.contiguous(at::MemoryFormat::ChannelsLast3d));
    tap("conv1", x);
    x = max_pool(bn1_->forward(x).relu_(), {3, 3, 3}, {2, 2, 2}, {1, 1, 1});
    tap("maxpool", x);
    const auto embedding = pooled(stages_.forward(x));
    return {head(embedding), embedding};
  }

 private:
  static ConvShape stem(int64_t width) {
    ConvShape shape = cube(3, 3, width, 7, 2);
    shape.stride[0] = 1;
    return shape;
  }
  std::shared_ptr<Conv> conv1_;
  std::shared_ptr<BatchNorm> bn1_;
  ResidualStages stages_;
};

class ResNet3dBackbone final : public Backbone {
 public:
  struct Options {
    int64_t depth = 18;
    int64_t width = 64;
    double dropout = 0;
    void visit(OptionVisitor& v) const {
      v("depth", depth, "layers: 10, 18, 34 or 50", between(10, 50));
      v("width", width,
        "channels of the first stage; 64 as published, 16 to 32 trains on a plain CPU",
        between(4, 256));
      v("dropout", dropout, "share of the features dropped before the classifier",
        between(0, 0.99));
      if (depth != 10 && depth != 18 && depth != 34 && depth != 50) {
        throw UsageError(fmt::format("{}: depth {} does not exist, there are 10, 18, 34 and 50",
                                     v.place(), depth));
      }
    }
    bool operator==(const Options&) const = default;
  };
  explicit ResNet3dBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    auto net =
        std::make_shared<ResNet3d>(options_.depth, options_.width, options_.dropout, classes);
    initialise(*net, random);
    return net;
  }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> resnet3d;
const Entry<Backbone> resnet3d = entry<Backbone, ResNet3dBackbone>(
    "3D residual network that looks at space and time together",
    "Hara, Kataoka, Satoh, Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and "
    "ImageNet?, CVPR 2018, arXiv 1711.09577");

}  // namespace distal::backbones
