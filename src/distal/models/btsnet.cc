#include "distal/models/btsnet.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <fmt/ranges.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/classifier.h"
#include "distal/models/depthwise.h"

namespace distal {
namespace {

using Dilation = std::vector<int64_t>;  // T, H, W
const Dilation kDense = {1, 1, 1};

std::vector<Dilation> dilations(const std::string& ops, int64_t branches) {
  std::vector<Dilation> all = {kDense};
  if (ops == "O1") {
    for (int64_t m = 1; m < branches; ++m) all.push_back(Dilation(3, 1 + m));
    return all;
  }
  const Dilation time = {4, 1, 1};
  const Dilation space = {1, 4, 4};
  const Dilation both = {4, 4, 4};
  switch (branches) {
    case 2: return {kDense, time};
    case 3: return {kDense, time, space};
    default: return {kDense, both, space, time};
  }
}

// A 3x3x3 convolution with its taps `dilation` apart and as much padding. In a dimension that is no
// longer than that only the middle tap meets the map, and the others are left out: on short clips
// up to three times as fast. LibTorch's own in float32 on the CPU under autocast too: such a kernel
// is longer than most clips, the case in which its bf16 gradients are wrong (models/gate.h).
at::Tensor dilated(const Conv& conv, at::Tensor x, Dilation dilation) {
  if (!torch::jit::tracer::isTracing() && depthwise_fits(x, conv.weight, conv.shape().groups)) {
    const bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
    return depthwise(autocast ? x.to(at::kBFloat16) : x, conv.weight, conv.shape().stride, dilation,
                     dilation);
  }
  std::optional<c10::impl::ExcludeDispatchKeyGuard> no_autocast;
  if (x.is_cpu()) {
    no_autocast.emplace(c10::autocast_dispatch_keyset);
    x = x.to(conv.weight.scalar_type());
  }
  auto w = conv.weight;
  auto stride = conv.shape().stride;
  auto padding = dilation;
  for (size_t i = 0; i < dilation.size(); ++i) {
    const auto d = static_cast<int64_t>(i) + 2;
    if (x.size(d) > dilation[i]) continue;
    w = w.narrow(d, 1, 1);
    x = x.slice(d, 0, std::nullopt, stride[i]);
    stride[i] = dilation[i] = 1;
    padding[i] = 0;
  }
  return at::conv3d(x, w, {}, stride, padding, dilation, conv.shape().groups);
}

class NormedConv final : public torch::nn::Module {
 public:
  explicit NormedConv(const ConvShape& shape, Dilation dilation = kDense, const char* conv = "0",
                      const char* norm = "1")
      : conv_(register_module(conv, std::make_shared<Conv>(shape))),
        norm_(register_module(norm, std::make_shared<BatchNorm>(shape.out))),
        dilation_(std::move(dilation)) {}
  at::Tensor forward(const at::Tensor& x) {
    const auto y = dilation_ == kDense ? conv_->forward(x) : dilated(*conv_, x, dilation_);
    if (y.numel() == y.size(1) && norm_->is_training() && norm_->weight.requires_grad()) {
      fail("btsnet: nothing to normalise over in a batch of one clip, whose map is [{}] here; "
           "train with batches of 2 clips or more",
           fmt::join(y.sizes(), ", "));
    }
    return norm_->forward(y);
  }

 private:
  std::shared_ptr<Conv> conv_;
  std::shared_ptr<BatchNorm> norm_;
  Dilation dilation_;
};

// Maps as rows of channels, [N, T, H * W, C]: of a channels-last map it is a view, and attention on
// it is several times as fast.
at::Tensor rows(const at::Tensor& map) { return map.permute({0, 2, 3, 4, 1}).flatten(2, 3); }
at::Tensor map_of(const at::Tensor& rows, at::IntArrayRef sizes) {
  return rows.unflatten(2, {sizes[3], sizes[4]}).permute({0, 4, 1, 2, 3});
}

class SelectiveConv final : public torch::nn::Module {
 public:
  SelectiveConv(const ConvShape& shape, const BtsnetOptions& options)
      : alias_(options.alias_bug),
        mean_of_(options.fuse == "c" ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2}) {
    const auto list = register_module("convs", std::make_shared<Sequence>());
    for (const auto& dilation : dilations(options.ops, options.branches)) {
      branches_.push_back(list->register_module(std::to_string(branches_.size()),
                                                std::make_shared<NormedConv>(shape, dilation)));
    }
    const int64_t inner = std::max<int64_t>(shape.out / 16, 32);
    fc_ = register_module("fc", std::make_shared<NormedConv>(cube(3, shape.out, inner, 1)));
    ConvShape scores = cube(3, inner, options.branches * shape.out, 1);
    scores.normed = false;
    scores.gain = 1;
    fcs_ = register_module("fcs", std::make_shared<Conv>(scores));
  }

  at::Tensor forward(const at::Tensor& x) {
    std::vector<at::Tensor> maps;
    for (const auto& branch : branches_) maps.push_back(branch->forward(x).relu_());
    const auto sizes = maps[1].sizes().vec();
    for (auto& map : maps) map = rows(map.to(maps[1].scalar_type()));
    const auto whole = alias_ ? sum(maps) : at::Tensor();
    const auto shares =
        attention(alias_ ? mean(whole) : mean_of_sum(maps)).to(maps[1].scalar_type());
    auto chosen = shares.select(2, 0).unsqueeze(2) * (alias_ ? whole : maps[0]);
    for (size_t m = 1; m < maps.size(); ++m)
      chosen.addcmul_(shares.select(2, static_cast<int64_t>(m)).unsqueeze(2), maps[m]);
    return map_of(chosen, sizes);
  }

 private:
  static at::Tensor sum(const std::vector<at::Tensor>& parts) {
    auto total = parts[0] + parts[1];
    for (size_t m = 2; m < parts.size(); ++m) total.add_(parts[m]);
    return total;
  }
  at::Tensor mean(const at::Tensor& rows) const { return rows.mean(mean_of_, /*keepdim=*/true); }
  at::Tensor mean_of_sum(const std::vector<at::Tensor>& maps) const {
    std::vector<at::Tensor> means;
    for (const auto& map : maps) means.push_back(mean(map));
    return sum(means);
  }
  at::Tensor attention(const at::Tensor& means) {  // [N, t, 1, C] to [N, t, M, C]
    const auto scores =
        fcs_->forward(fc_->forward(means.permute({0, 3, 1, 2}).unsqueeze(-1)).relu_());
    return rows(scores)
        .squeeze(2)
        .unflatten(2, {static_cast<int64_t>(branches_.size()), means.size(3)})
        .softmax(2);
  }

  bool alias_;
  std::vector<int64_t> mean_of_;  // dimensions of the rows
  std::vector<std::shared_ptr<NormedConv>> branches_;
  std::shared_ptr<NormedConv> fc_;
  std::shared_ptr<Conv> fcs_;
};

class Unit final : public torch::nn::Module {
 public:
  Unit(int64_t in, int64_t planes, int64_t stride, bool selective, const BtsnetOptions& options) {
    const int64_t out = 2 * planes;
    const int64_t groups = options.cardinality;
    const int64_t middle = groups * std::max<int64_t>(1, (planes + 16) / 32);
    conv1_ = register_module("conv1", std::make_shared<NormedConv>(cube(3, in, middle, 1)));
    ConvShape shape = cube(3, middle, middle, 3, stride);
    shape.groups = groups;
    if (selective) {
      const auto conv =
          register_module("conv2_sk", std::make_shared<SelectiveConv>(shape, options));
      middle_ = [conv](const at::Tensor& x) { return conv->forward(x); };
    } else {
      const auto conv =
          register_module("conv2_sk", std::make_shared<NormedConv>(shape, kDense, "conv", "bn"));
      middle_ = [conv](const at::Tensor& x) { return conv->forward(x).relu_(); };
    }
    conv3_ = register_module("conv3", std::make_shared<NormedConv>(cube(3, middle, out, 1)));
    if (in != out)
      shortcut_ =
          register_module("shortcut", std::make_shared<NormedConv>(cube(3, in, out, 1, stride)));
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto y = conv3_->forward(middle_(conv1_->forward(x).relu_()));
    return y.add_(shortcut_ ? shortcut_->forward(x) : x).relu_();
  }

 private:
  std::shared_ptr<NormedConv> conv1_, conv3_, shortcut_;
  std::function<at::Tensor(const at::Tensor&)> middle_;
};

class Btsnet final : public Classifier {
 public:
  Btsnet(const char* name, const std::array<int64_t, 4>& blocks, const BtsnetOptions& options,
         int64_t classes)
      : name_(name) {
    const int64_t width = std::max<int64_t>(4, std::llround(128 * options.width));
    ConvShape stem = cube(3, 3, width, 7, 2);
    stem.stride[0] = 1;
    stem_ = register_module("basic_conv", std::make_shared<NormedConv>(stem));
    int64_t channels = width;
    for (size_t s = 0; s < blocks.size(); ++s) {
      const auto stage =
          register_module("stage_" + std::to_string(s + 1), std::make_shared<Sequence>());
      stages_.emplace_back();
      for (int64_t b = 0; b < blocks[s]; ++b) {
        const auto unit = std::make_shared<Unit>(channels, width << s, s > 0 && b == 0 ? 2 : 1,
                                                 s + 1 < blocks.size(), options);
        stages_.back().push_back(stage->register_module(std::to_string(b), unit));
        channels = 2 * width << s;
      }
    }
    add_head(channels, classes, options.dropout);
  }

  Output forward(const at::Tensor& clips) override {
    ClipLimits{name_}.check(clips);
    // Channels last takes a sixth to a quarter off a training step at width 0.25 and costs nothing
    // at width 1.
    auto x = stem_->forward(clips.contiguous(at::MemoryFormat::ChannelsLast3d)).relu_();
    tap("basic_conv", x);
    x = max_pool(x, {3, 3, 3}, {2, 2, 2}, {1, 1, 1});
    tap("maxpool", x);
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const auto& unit : stages_[s]) x = unit->forward(x);
      tap("stage_" + std::to_string(s + 1), x);
    }
    const auto embedding = pooled(x);
    return {head(embedding), embedding};
  }

 private:
  const char* name_;
  std::shared_ptr<NormedConv> stem_;
  std::vector<std::vector<std::shared_ptr<Unit>>> stages_;
};

}  // namespace

void BtsnetOptions::visit(OptionVisitor& v) const {
  v("width", width, "channel multiplier; 1 as published, 0.125 to 0.25 trains on a plain CPU",
    between(0.05, 2));
  v("branches", branches, "views the middle convolutions choose between: 2, 3 or 4", between(2, 4));
  v("cardinality", cardinality, "groups of the middle convolutions: 8, 16 or 32", between(8, 32));
  v("fuse", fuse, "what chooses: tc each channel at each moment, c each channel for the whole clip",
    one_of({"tc", "c"}));
  v("ops", ops, "views: O2 far in time, in space or in both, O1 in all dimensions alike",
    one_of({"O2", "O1"}));
  v("alias_bug", alias_bug,
    "computes as the published code, whose first view is overwritten by the sum of all; for its "
    "weights");
  v("dropout", dropout, "share of the features dropped before the classifier", between(0, 0.99));
  if (cardinality != 8 && cardinality != 16 && cardinality != 32) {
    throw UsageError(fmt::format("{}: cardinality {} does not exist, there are 8, 16 and 32",
                                 v.place(), cardinality));
  }
}

Model btsnet(const char* name, const std::array<int64_t, 4>& blocks, const BtsnetOptions& options,
             int64_t classes, const Random& random) {
  const auto net = std::make_shared<Btsnet>(name, blocks, options, classes);
  initialise(*net, random);
  return net;
}

}  // namespace distal
