// ECO Lite: BN-Inception up to inception_3c on each frame, then a 3D residual tail over the stacked frames. Names are the
// layers' names in the published Caffe graph (the classifier fc8 is `fc` here). Identity shortcuts carry the sum before its
// batch norm, strided shortcuts are 3x3x3 convolutions of the activated map; every convolution has a bias; pools round up.

#include <ATen/ATen.h>

#include "models/layers.h"

namespace distal::backbones {
namespace {

struct Branches {  // of an inception block; the pool's branch ends it
  int64_t single, reduce, triple, double_reduce, double_triple, pool;
};

class EcoLite final : public Classifier {
 public:
  EcoLite(double dropout, double width, int64_t classes) : width_(width) {
    conv(2, "conv1_7x7_s2", 3, scaled(64), 7, 2);
    conv(2, "conv2_3x3_reduce", scaled(64), scaled(64), 1);
    conv(2, "conv2_3x3", scaled(64), scaled(192), 3);
    int64_t channels = scaled(192);
    channels = inception("inception_3a", channels, {64, 64, 64, 64, 96, 32});
    channels = inception("inception_3b", channels, {64, 64, 96, 64, 96, 64});
    conv(2, "inception_3c_double_3x3_reduce", channels, scaled(64), 1);
    conv(2, "inception_3c_double_3x3_1", scaled(64), scaled(96), 3);
    conv(3, "res3a_2n", scaled(96), scaled(128), 3, 1, "res3a_bn");
    stage("res3b", scaled(128), scaled(128), false);
    for (const auto& [name, out] : {std::pair{"res4", 256}, std::pair{"res5", 512}}) {
      stage(std::string(name) + "a", scaled(out / 2), scaled(out), true);
      stage(std::string(name) + "b", scaled(out), scaled(out), false);
    }
    add_head(scaled(512), classes, dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{"eco_lite", 4, 32}.check(clips);
    const int64_t count = clips.size(0), frames = clips.size(2);
    auto x = per_frame(clips.transpose(1, 2).flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast));
    x = x.unflatten(0, {count, frames}).transpose(1, 2).contiguous();  // [N, C, T, h, w]
    x = tapped("res3a", convs_.at("res3a_2n")->forward(x));
    for (const char* name : {"res3b", "res4a", "res4b", "res5a", "res5b"}) x = residual(name, x);
    const auto embedding = pooled(activated("res5b_bn", x));
    tap("global_pool_reshape", embedding);
    return {head(embedding), embedding};
  }

 private:
  int64_t scaled(int64_t channels) const { return std::max<int64_t>(4, std::llround(static_cast<double>(channels) * width_)); }

  void conv(int dims, const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, const std::string& norm = "") {
    ConvShape shape = cube(dims, in, out, kernel, stride);
    shape.bias = true;
    convs_[name] = register_module(name, std::make_shared<Conv>(shape));
    if (norm != "none") add_norm(norm.empty() ? name + "_bn" : norm, out);
  }
  void add_norm(const std::string& name, int64_t channels) {
    norms_[name] = register_module(name, std::make_shared<BatchNorm>(channels));
  }
  int64_t inception(const std::string& name, int64_t in, const Branches& b) {
    conv(2, name + "_1x1", in, scaled(b.single), 1);
    conv(2, name + "_3x3_reduce", in, scaled(b.reduce), 1);
    conv(2, name + "_3x3", scaled(b.reduce), scaled(b.triple), 3);
    conv(2, name + "_double_3x3_reduce", in, scaled(b.double_reduce), 1);
    conv(2, name + "_double_3x3_1", scaled(b.double_reduce), scaled(b.double_triple), 3);
    conv(2, name + "_double_3x3_2", scaled(b.double_triple), scaled(b.double_triple), 3);
    conv(2, name + "_pool_proj", in, scaled(b.pool), 1);
    return scaled(b.single) + scaled(b.triple) + scaled(b.double_triple) + scaled(b.pool);
  }
  void stage(const std::string& name, int64_t in, int64_t out, bool strided) {
    conv(3, name + "_1", in, out, 3, strided ? 2 : 1);
    conv(3, name + "_2", out, out, 3, 1, "none");
    if (strided) conv(3, name + "_down", in, out, 3, 2, "none");
    add_norm(name + "_bn", out);
  }

  at::Tensor activated(const std::string& norm, const at::Tensor& x) { return tapped(norm, norms_.at(norm)->forward(x).relu_()); }
  at::Tensor unit(const std::string& name, const at::Tensor& x) { return activated(name + "_bn", convs_.at(name)->forward(x)); }
  static at::Tensor tapped(const std::string& name, const at::Tensor& x) {
    tap(name, x);
    return x;
  }
  static at::Tensor halved(const at::Tensor& x) { return at::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/true); }

  at::Tensor mixed(const std::string& name, const at::Tensor& x) {
    const auto twice = unit(name + "_double_3x3_1", unit(name + "_double_3x3_reduce", x));
    const auto pool = at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, /*count_include_pad=*/true);
    return tapped(name + "_output", at::cat({unit(name + "_1x1", x), unit(name + "_3x3", unit(name + "_3x3_reduce", x)),
                                             unit(name + "_double_3x3_2", twice), unit(name + "_pool_proj", pool)}, 1));
  }
  at::Tensor per_frame(at::Tensor x) {
    x = tapped("pool1_3x3_s2", halved(unit("conv1_7x7_s2", x)));
    x = tapped("pool2_3x3_s2", halved(unit("conv2_3x3", unit("conv2_3x3_reduce", x))));
    x = mixed("inception_3b", mixed("inception_3a", x));
    return unit("inception_3c_double_3x3_1", unit("inception_3c_double_3x3_reduce", x));
  }
  // `sum` is what the stage before left, before its batch norm.
  at::Tensor residual(const std::string& name, const at::Tensor& sum) {
    const auto x = activated(before_.at(name) + "_bn", sum);
    const auto y = convs_.at(name + "_2")->forward(unit(name + "_1", x));
    const auto down = convs_.find(name + "_down");
    return tapped(name, y + (down == convs_.end() ? sum : down->second->forward(x)));
  }

  double width_;
  std::map<std::string, std::shared_ptr<Conv>> convs_;
  std::map<std::string, std::shared_ptr<BatchNorm>> norms_;
  const std::map<std::string, std::string> before_ = {
      {"res3b", "res3a"}, {"res4a", "res3b"}, {"res4b", "res4a"}, {"res5a", "res4b"}, {"res5b", "res5a"}};
};

class EcoLiteBackbone final : public Backbone {
 public:
  struct Options {
    double width = 1;
    double dropout = 0.3;
    void visit(OptionVisitor& v) {
      v("width", width, "channel multiplier; 1 as published", between(0.05, 2));
      v("dropout", dropout, "share of the features dropped before the classifier", between(0, 0.99));
    }
  };
  explicit EcoLiteBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    auto net = std::make_shared<EcoLite>(options_.dropout, options_.width, classes);
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
    "Zolfaghari, Singh, Brox, ECO: Efficient Convolutional Network for Online Video Understanding, ECCV 2018, arXiv 1804.09066");

}  // namespace distal::backbones
