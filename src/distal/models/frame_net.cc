#include "distal/models/frame_net.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/mobilenet.h"
#include "distal/models/residual.h"

namespace distal {
namespace {

class ResNet2d final : public FrameNet {
 public:
  ResNet2d(const FrameOptions& options, int64_t depth, int64_t classes)
      : FrameNet(options),
        width_(std::max<int64_t>(4, std::llround(64 * options.width.value_or(1)))),
        conv1_(register_module("conv1", std::make_shared<Conv>(cube(2, 3, width_, 7, 2)))),
        bn1_(register_module("bn1", std::make_shared<BatchNorm>(width_))),
        stages_(*this, 2, depth, width_) {
    add_head(stages_.channels(), classes, options.dropout);
  }

 protected:
  at::Tensor features(const at::Tensor& frames, const Remap& shift) override {
    const auto x = bn1_->forward(conv1_->forward(frames)).relu_();
    return stages_.forward(at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}), shift);
  }

 private:
  int64_t width_;  // channels of the first stage
  std::shared_ptr<Conv> conv1_;
  std::shared_ptr<BatchNorm> bn1_;
  ResidualStages stages_;
};

}  // namespace

void FrameOptions::visit(OptionVisitor& v) const {
  v("base", base, "the 2D network",
    one_of({"mobilenet_v2", "mobilenet_v1", "resnet18", "resnet50"}));
  v("width", width, "channel multiplier; absent: 0.5 for mobilenet_v1, 1 for the others",
    between(0.05, 2));
  v("norm", norm,
    "batch norms of a MobileNet: folded into the convolutions, or batch (for training from random "
    "weights)",
    one_of({"folded", "batch"}));
  v("dropout", dropout, "share of the features dropped before the classifier", between(0, 0.99));
  if (!shift) return;
  v("shift_div", shift_div, "one channel in shift_div takes the next frame, and one the previous",
    at_least(2));
  v("online", online,
    "uses only earlier frames: one channel in shift_div takes the previous frame, none the next");
}

Output FrameNet::forward(const at::Tensor& clips) {
  ClipLimits{options_.shift ? "tsm" : "tsn", 1, 32}.check(clips);
  const int64_t count = clips.size(0);
  const int64_t frames = clips.size(2);
  const auto flat = clips.transpose(1, 2).flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
  const auto shift = [&, frames](const at::Tensor& x) {
    return temporal_shift(x, frames, options_.shift_div, options_.online);
  };
  const auto rows = pooled(features(flat, options_.shift ? Remap(shift) : Remap()));
  tap("frames", rows);
  const auto embedding = rows.unflatten(0, {count, frames}).mean(1);
  return {head(embedding), embedding};
}

at::Tensor FrameNet::next_frame(const at::Tensor& frame, std::vector<at::Tensor>& before) {
  expect(online(), "only an online TSM needs no later frames");
  const bool first = before.empty();
  size_t block = 0;
  const auto shift = [&](const at::Tensor& x) {
    if (first) before.emplace_back();
    const auto shifted =
        first
            ? temporal_shift(x, 1, options_.shift_div, true)
            : temporal_shift(at::cat({before[block], x}), 2, options_.shift_div, true).slice(0, 1);
    before[block++] = x.clone();  // the block may add to x in place
    return shifted;
  };
  return pooled(features(frame.contiguous(at::MemoryFormat::ChannelsLast), Remap(shift)));
}

Model frame_net(const FrameOptions& options, int64_t classes, const Random& random) {
  Model net;
  if (options.base == "resnet18") net = std::make_shared<ResNet2d>(options, 18, classes);
  if (options.base == "resnet50") net = std::make_shared<ResNet2d>(options, 50, classes);
  if (options.base == "mobilenet_v1") net = mobilenet_v1(options, classes);
  if (options.base == "mobilenet_v2") net = mobilenet_v2(options, classes);
  expect(net != nullptr, "the base is one of those visit lists");
  initialise(*net, random);
  return net;
}

}  // namespace distal
