#include "distal/models/mobilenet.h"

#include <ATen/ATen.h>

#include "distal/models/residual.h"

namespace distal {
namespace {

struct Op {
  std::string name;
  std::shared_ptr<Conv> conv;
  std::shared_ptr<BatchNorm> norm;  // null: folded
  bool relu6;
};
struct Block {
  std::vector<Op> ops;
  bool shift = false;
  std::string sum;  // name of the addition with the block's input; empty: none
};

class MobileNet final : public FrameNet {
 public:
  explicit MobileNet(const FrameOptions& options) : FrameNet(options) {}

  void begin(bool shift) { blocks_.push_back({{}, shift, ""}); }
  void add(int64_t out, int64_t kernel, int64_t stride, bool depthwise, bool relu6) {
    ConvShape shape = cube(2, channels_, out, kernel, stride);
    shape.groups = depthwise ? channels_ : 1;
    shape.bias = shape.same = true;
    shape.normed = options_.norm == "batch";
    shape.gain = relu6 ? 2 : 1;
    Op op{next_name(), std::make_shared<Conv>(shape), nullptr, relu6};
    register_module(op.name, op.conv);
    if (shape.normed) op.norm = register_module(op.name + "_bn", std::make_shared<BatchNorm>(out));
    blocks_.back().ops.push_back(op);
    channels_ = out;
  }
  void add_shortcut() { blocks_.back().sum = next_name(); }
  void finish(int64_t classes) { add_head(channels_, classes, options_.dropout); }
  int64_t channels() const { return channels_; }

 protected:
  at::Tensor features(const at::Tensor& frames, const Remap& shift) override {
    auto x = frames;
    for (const auto& block : blocks_) {
      const auto before = x;
      if (block.shift && shift) x = shift(x);
      for (const auto& op : block.ops) x = apply(op, x);
      if (block.sum.empty()) continue;
      x = x + before;
      tap(block.sum, x);
    }
    return x;
  }

 private:
  static at::Tensor apply(const Op& op, at::Tensor x) {
    x = op.conv->forward(x);
    if (op.norm) x = op.norm->forward(x);
    if (op.relu6) x = at::hardtanh_(x, 0, 6);
    tap(op.name, x);
    return x;
  }
  std::string next_name() { return fmt::format("op{:02}", next_++); }

  std::vector<Block> blocks_;
  int64_t channels_ = 3;
  int64_t next_ = 0;
};

int64_t scaled(int64_t channels, double width) {
  return rounded_channels(static_cast<double>(channels) * width);
}

}  // namespace

Model mobilenet_v1(const FrameOptions& options, int64_t classes) {
  struct Row {
    int64_t out, stride;
  };
  constexpr Row kRows[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                           {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  const double width = options.width.value_or(0.5);
  const auto net = std::make_shared<MobileNet>(options);
  net->begin(false);
  net->add(scaled(32, width), 3, 2, false, true);
  for (const auto& row : kRows) {
    const int64_t in = net->channels();
    const int64_t out = scaled(row.out, width);
    net->begin(row.stride == 1 && in == out);
    net->add(in, 3, row.stride, true, true);
    net->add(out, 1, 1, false, true);
  }
  net->finish(classes);
  return net;
}

Model mobilenet_v2(const FrameOptions& options, int64_t classes) {
  struct Row {
    int64_t expand, out, blocks, stride;
  };
  constexpr Row kRows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                           {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  const double width = options.width.value_or(1);
  const auto net = std::make_shared<MobileNet>(options);
  net->begin(false);
  net->add(scaled(32, width), 3, 2, false, true);
  for (const auto& row : kRows) {
    for (int64_t b = 0; b < row.blocks; ++b) {
      const int64_t in = net->channels();
      const int64_t out = scaled(row.out, width);
      const int64_t stride = b == 0 ? row.stride : 1;
      const bool shortcut = stride == 1 && in == out;
      net->begin(shortcut);
      if (row.expand > 1) net->add(in * row.expand, 1, 1, false, true);
      net->add(net->channels(), 3, stride, true, true);
      net->add(out, 1, 1, false, false);
      if (shortcut) net->add_shortcut();
    }
  }
  net->begin(false);
  net->add(scaled(1280, std::max(1.0, width)), 1, 1, false, true);
  net->finish(classes);
  return net;
}

}  // namespace distal
