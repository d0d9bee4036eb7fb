#include "distal/models/video_resnet.h"

#include <ATen/ATen.h>

#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/classifier.h"

namespace distal {
namespace {

// Layers in their order, named by their place as published; a ReLU takes a place too.
class Units final : public torch::nn::Module {
 public:
  template <class Layer>
  void add(std::shared_ptr<Layer> layer) {
    register_module(std::to_string(steps_.size()), layer);
    steps_.push_back([layer](const at::Tensor& x) { return layer->forward(x); });
  }
  void unit(const ConvShape& shape, bool relu) {
    add(std::make_shared<Conv>(shape));
    norm(shape.out, relu);
  }
  void norm(int64_t channels, bool relu) {
    add(std::make_shared<BatchNorm>(channels));
    if (relu) steps_.push_back([](const at::Tensor& x) { return x.relu_(); });
  }
  at::Tensor forward(at::Tensor x) const {
    for (const auto& step : steps_) x = step(x);
    return x;
  }

 private:
  std::vector<std::function<at::Tensor(const at::Tensor&)>> steps_;
};

std::shared_ptr<Units> stem(Span span, int64_t width) {
  const auto layers = std::make_shared<Units>();
  if (span == Span::factorised) {
    const int64_t middle = std::max<int64_t>(1, 45 * width / 64);
    layers->unit(box(3, middle, {1, 7, 7}, {1, 2, 2}), true);
    layers->unit(box(middle, width, {3, 1, 1}, {1, 1, 1}), true);
  } else {
    layers->unit(box(3, width, {span == Span::space ? 1 : 3, 7, 7}, {1, 2, 2}), true);
  }
  return layers;
}

class VideoBlock final : public torch::nn::Module {
 public:
  VideoBlock(Span span, int64_t in, int64_t out, int64_t stride) {
    const int64_t middle = std::max<int64_t>(
        1, in * out * 27 / (9 * in + 3 * out));  // of both convolutions of the block
    conv1_ = register_module("conv1", unit(span, in, middle, out, stride, true));
    conv2_ = register_module("conv2", unit(span, out, middle, out, 1, false));
    if (stride == 1 && in == out) return;
    downsample_ = register_module("downsample", std::make_shared<Units>());
    downsample_->unit(box(in, out, {1, 1, 1}, {span == Span::space ? 1 : stride, stride, stride}),
                      false);
  }
  at::Tensor forward(const at::Tensor& x) const {
    return conv2_->forward(conv1_->forward(x))
        .add_(downsample_ ? downsample_->forward(x) : x)
        .relu_();
  }

 private:
  static std::shared_ptr<Units> unit(Span span, int64_t in, int64_t middle, int64_t out,
                                     int64_t stride, bool relu) {
    const auto layers = std::make_shared<Units>();
    if (span == Span::factorised) {
      const auto pair = std::make_shared<Units>();
      pair->unit(box(in, middle, {1, 3, 3}, {1, stride, stride}), true);
      pair->add(std::make_shared<Conv>(box(middle, out, {3, 1, 1}, {stride, 1, 1})));
      layers->add(pair);
      layers->norm(out, relu);
    } else {
      const bool time = span == Span::space_time;
      layers->unit(box(in, out, {time ? 3 : 1, 3, 3}, {time ? stride : 1, stride, stride}), relu);
    }
    return layers;
  }
  std::shared_ptr<Units> conv1_, conv2_, downsample_;
};

class VideoResNet final : public Classifier {
 public:
  VideoResNet(const VideoResNetKind& kind, int64_t width, double dropout, int64_t classes)
      : name_(kind.name),
        stem_(register_module("stem", stem(kind.early, width))),
        channels_last_(kind.early != Span::factorised && width >= 8 && width <= 32) {
    int64_t channels = width;
    for (int64_t s = 0; s < 4; ++s) {
      const auto stage =
          register_module("layer" + std::to_string(s + 1), std::make_shared<Units>());
      for (int64_t b = 0; b < 2; ++b) {
        stage->add(std::make_shared<VideoBlock>(s == 0 ? kind.early : kind.late, channels,
                                                width << s, s > 0 && b == 0 ? 2 : 1));
        channels = width << s;
      }
      stages_.push_back(stage);
    }
    add_head(channels, classes, dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{name_}.check(clips);
    auto x = stem_->forward(clips.contiguous(channels_last_ ? at::MemoryFormat::ChannelsLast3d
                                                            : at::MemoryFormat::Contiguous));
    tap("stem", x);
    for (size_t s = 0; s < stages_.size(); ++s) {
      x = stages_[s]->forward(x);
      tap("layer" + std::to_string(s + 1), x);
    }
    const auto embedding = pooled(x);
    return {head(embedding), embedding};
  }

 private:
  const char* name_;
  std::shared_ptr<Units> stem_;
  std::vector<std::shared_ptr<Units>> stages_;
  // 1.6 times as fast at width 8, 1.1 at 32; no gain for factorised convolutions and at 64; below 8
  // channels the library fails there (layers.cc).
  bool channels_last_;
};

}  // namespace

void VideoResNetOptions::visit(OptionVisitor& v) const {
  v("width", width, "channels of the first stage; 64 as published", between(4, 256));
  v("dropout", dropout, "share of the features dropped before the classifier", between(0, 0.99));
}

Model video_resnet(const VideoResNetKind& kind, const VideoResNetOptions& options, int64_t classes,
                   const Random& random) {
  const auto net = std::make_shared<VideoResNet>(kind, options.width, options.dropout, classes);
  initialise(*net, random);
  return net;
}

ConvShape box(int64_t in, int64_t out, std::vector<int64_t> kernel, std::vector<int64_t> stride) {
  ConvShape shape;
  shape.in = in;
  shape.out = out;
  for (const int64_t extent : kernel) shape.padding.push_back(extent / 2);
  shape.kernel = std::move(kernel);
  shape.stride = std::move(stride);
  return shape;
}

}  // namespace distal
