// The slow pathway of SlowFast alone, a ResNet-50: time is never strided, and only the blocks of
// the last two stages look at neighbouring frames. Names are those of PyTorchVideo (its classifier
// blocks.5.proj is `fc` here). As there, the head averages logits over 7x7 windows of the last map
// (smaller maps: squares of their shorter side), one window for a square clip of up to 224 px.
// Deviations: a window holds all frames, not only eight; dropout is drawn once per clip; the last
// norm of a block starts at one.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/classifier.h"
#include "distal/models/video_resnet.h"

namespace distal::backbones {
namespace {

class Names final : public torch::nn::Module {};

class SlowBlock final : public torch::nn::Module {
 public:
  SlowBlock(int64_t in, int64_t planes, int64_t frames, int64_t stride) {
    const int64_t out = 4 * planes;
    if (in != out || stride != 1) {
      shortcut_conv_ = register_module(
          "branch1_conv", std::make_shared<Conv>(box(in, out, {1, 1, 1}, {1, stride, stride})));
      shortcut_norm_ = register_module("branch1_norm", std::make_shared<BatchNorm>(out));
    }
    const auto branch = register_module("branch2", std::make_shared<Names>());
    const auto unit = [&](const std::string& letter, const ConvShape& shape) {
      convs_.push_back(branch->register_module("conv_" + letter, std::make_shared<Conv>(shape)));
      norms_.push_back(
          branch->register_module("norm_" + letter, std::make_shared<BatchNorm>(shape.out)));
    };
    unit("a", box(in, planes, {frames, 1, 1}, {1, 1, 1}));
    unit("b", box(planes, planes, {1, 3, 3}, {1, stride, stride}));
    unit("c", box(planes, out, {1, 1, 1}, {1, 1, 1}));
  }
  at::Tensor forward(const at::Tensor& x) const {
    auto y = x;
    for (size_t i = 0; i < convs_.size(); ++i) {
      if (i > 0) y = y.relu_();
      y = norms_[i]->forward(convs_[i]->forward(y));
    }
    return y.add_(shortcut_conv_ ? shortcut_norm_->forward(shortcut_conv_->forward(x)) : x).relu_();
  }

 private:
  std::vector<std::shared_ptr<Conv>> convs_;
  std::vector<std::shared_ptr<BatchNorm>> norms_;
  std::shared_ptr<Conv> shortcut_conv_;
  std::shared_ptr<BatchNorm> shortcut_norm_;
};

class SlowR50 final : public Classifier {
 public:
  SlowR50(int64_t width, double dropout, int64_t classes) {
    const auto blocks = register_module("blocks", std::make_shared<Names>());
    const auto stem = blocks->register_module("0", std::make_shared<Names>());
    conv_ =
        stem->register_module("conv", std::make_shared<Conv>(box(3, width, {1, 7, 7}, {1, 2, 2})));
    norm_ = stem->register_module("norm", std::make_shared<BatchNorm>(width));
    int64_t channels = width;
    for (const int64_t depth : {3, 4, 6, 3}) {
      const size_t s = stages_.size();
      const auto stage = blocks->register_module(std::to_string(s + 1), std::make_shared<Names>());
      const auto list = stage->register_module("res_blocks", std::make_shared<Names>());
      stages_.emplace_back();
      for (int64_t b = 0; b < depth; ++b) {
        const auto block = std::make_shared<SlowBlock>(channels, width << s, s < 2 ? 1 : 3,
                                                       s > 0 && b == 0 ? 2 : 1);
        stages_.back().push_back(list->register_module(std::to_string(b), block));
        channels = 4 * (width << s);
      }
    }
    add_head(channels, classes, dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{"slow_r50"}.check(clips);
    auto x = max_pool(norm_->forward(conv_->forward(clips.contiguous())).relu_(), {1, 3, 3},
                      {1, 2, 2}, {0, 1, 1});
    tap("blocks.0", x);
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const auto& block : stages_[s]) x = block->forward(x);
      tap("blocks." + std::to_string(s + 1), x);
    }
    const auto embedding = windows(x).mean(1);
    return {head(embedding), embedding};
  }

 private:
  // x [N, D, T, h, w] to the mean of each window, [N, windows, D].
  static at::Tensor windows(const at::Tensor& x) {
    const int64_t side = std::min({kWindow, x.size(3), x.size(4)});
    const auto map =
        x.mean(2, /*keepdim=*/false, x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    const auto rows = at::avg_pool2d(map, {side, side}, {1, 1}).flatten(2).transpose(1, 2);
    tap("windows", rows.flatten(0, 1));
    return rows;
  }
  static constexpr int64_t kWindow = 7;
  std::shared_ptr<Conv> conv_;
  std::shared_ptr<BatchNorm> norm_;
  std::vector<std::vector<std::shared_ptr<SlowBlock>>> stages_;
};

class SlowR50Backbone final : public Backbone {
 public:
  struct Options {
    int64_t width = 64;
    double dropout = 0.5;
    void visit(OptionVisitor& v) const {
      v("width", width, "channels of the stem and a quarter of the first stage's; 64 as published",
        between(4, 256));
      v("dropout", dropout, "share of the features dropped before the classifier",
        between(0, 0.99));
    }
    bool operator==(const Options&) const = default;
  };
  explicit SlowR50Backbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    const auto net = std::make_shared<SlowR50>(options_.width, options_.dropout, classes);
    initialise(*net, random);
    return net;
  }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> slow_r50;
const Entry<Backbone> slow_r50 =
    entry<Backbone, SlowR50Backbone>("residual network of 50 layers on few frames, which looks at "
                                     "time in its last stages only: heavy, a strong teacher",
                                     "Feichtenhofer, Fan, Malik, He, SlowFast Networks for Video "
                                     "Recognition, ICCV 2019, arXiv 1812.03982");

}  // namespace distal::backbones
