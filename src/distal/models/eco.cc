#include "distal/models/eco.h"

#include <ATen/ATen.h>

#include "distal/base/options.h"

namespace distal {
namespace {

at::Tensor halved(const at::Tensor& x) {
  return at::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/true);
}

}  // namespace

void EcoOptions::visit(OptionVisitor& v) const {
  v("width", width, "channel multiplier; 1 as published", between(0.05, 2));
  v("dropout", dropout, "share of the features dropped before the classifier", between(0, 0.99));
}

EcoNet::EcoNet(const char* name, double width) : name_(name), width_(width) {
  conv(2, "conv1_7x7_s2", 3, scaled(64), 7, 2);
  conv(2, "conv2_3x3_reduce", scaled(64), scaled(64), 1);
  conv(2, "conv2_3x3", scaled(64), scaled(192), 3);
  int64_t channels = scaled(192);
  channels = add_inception("inception_3a", channels, {64, 64, 64, 64, 96, 32});
  channels = add_inception("inception_3b", channels, {64, 64, 96, 64, 96, 64});
  add_double("inception_3c", channels, 64, 96);
  conv(3, "res3a_2n", scaled(96), scaled(128), 3, 1, "res3a_bn");
  add_residual("res3b", scaled(128), scaled(128), false);
  for (const auto& [stage, out] : {std::pair{"res4", 256}, std::pair{"res5", 512}}) {
    add_residual(std::string(stage) + "a", scaled(out / 2), scaled(out), true);
    add_residual(std::string(stage) + "b", scaled(out), scaled(out), false);
  }
}

int64_t EcoNet::scaled(int64_t channels) const {
  return std::max<int64_t>(4, std::llround(static_cast<double>(channels) * width_));
}

EcoNet::FrameMaps EcoNet::per_frame(const at::Tensor& clips) {
  ClipLimits{name_, 4, 32}.check(clips);
  auto x = clips.transpose(1, 2).flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
  x = tapped("pool1_3x3_s2", halved(unit("conv1_7x7_s2", x)));
  x = tapped("pool2_3x3_s2", halved(unit("conv2_3x3", unit("conv2_3x3_reduce", x))));
  x = inception("inception_3b", inception("inception_3a", x));
  return {x, doubled("inception_3c", x)};
}

at::Tensor EcoNet::residual_tail(const at::Tensor& shared, int64_t clips) {
  auto x = shared.unflatten(0, {clips, -1}).transpose(1, 2).contiguous();  // [N, C, T, h, w]
  x = tapped("res3a", convs_.at("res3a_2n")->forward(x));
  std::string before = "res3a";
  for (const char* name : {"res3b", "res4a", "res4b", "res5a", "res5b"}) {
    x = residual(name, before, x);
    before = name;
  }
  return tapped("global_pool_reshape", pooled(activated("res5b_bn", x)));
}

void EcoNet::conv(int dims, const std::string& name, int64_t in, int64_t out, int64_t kernel,
                  int64_t stride, const std::string& norm) {
  ConvShape shape = cube(dims, in, out, kernel, stride);
  shape.bias = true;
  convs_[name] = register_module(name, std::make_shared<Conv>(shape));
  if (norm != "none") add_norm(norm.empty() ? name + "_bn" : norm, out);
}

at::Tensor EcoNet::unit(const std::string& name, const at::Tensor& x) {
  return activated(name + "_bn", convs_.at(name)->forward(x));
}

void EcoNet::add_double(const std::string& name, int64_t in, int64_t reduce, int64_t out) {
  conv(2, name + "_double_3x3_reduce", in, scaled(reduce), 1);
  conv(2, name + "_double_3x3_1", scaled(reduce), scaled(out), 3);
}

at::Tensor EcoNet::doubled(const std::string& name, const at::Tensor& x) {
  return unit(name + "_double_3x3_1", unit(name + "_double_3x3_reduce", x));
}

int64_t EcoNet::add_inception(const std::string& name, int64_t in, const Branches& b) {
  conv(2, name + "_1x1", in, scaled(b.single), 1);
  conv(2, name + "_3x3_reduce", in, scaled(b.reduce), 1);
  conv(2, name + "_3x3", scaled(b.reduce), scaled(b.triple), 3);
  add_double(name, in, b.double_reduce, b.double_triple);
  conv(2, name + "_double_3x3_2", scaled(b.double_triple), scaled(b.double_triple), 3);
  conv(2, name + "_pool_proj", in, scaled(b.pool), 1);
  return scaled(b.single) + scaled(b.triple) + scaled(b.double_triple) + scaled(b.pool);
}

at::Tensor EcoNet::inception(const std::string& name, const at::Tensor& x, Pool pool) {
  const auto around = pool == Pool::max ? at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1})
                                        : at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false,
                                                         /*count_include_pad=*/true);
  return tapped(
      name + "_output",
      at::cat({unit(name + "_1x1", x), unit(name + "_3x3", unit(name + "_3x3_reduce", x)),
               unit(name + "_double_3x3_2", doubled(name, x)), unit(name + "_pool_proj", around)},
              1));
}

at::Tensor EcoNet::tapped(const std::string& name, const at::Tensor& x) {
  tap(name, x);
  return x;
}

void EcoNet::add_norm(const std::string& name, int64_t channels) {
  norms_[name] = register_module(name, std::make_shared<BatchNorm>(channels));
}

void EcoNet::add_residual(const std::string& name, int64_t in, int64_t out, bool strided) {
  conv(3, name + "_1", in, out, 3, strided ? 2 : 1);
  conv(3, name + "_2", out, out, 3, 1, "none");
  if (strided) conv(3, name + "_down", in, out, 3, 2, "none");
  add_norm(name + "_bn", out);
}

at::Tensor EcoNet::activated(const std::string& norm, const at::Tensor& x) {
  return tapped(norm, norms_.at(norm)->forward(x).relu_());
}

// `sum` is what the stage `before` left, before its batch norm.
at::Tensor EcoNet::residual(const std::string& name, const std::string& before,
                            const at::Tensor& sum) {
  const auto x = activated(before + "_bn", sum);
  const auto y = convs_.at(name + "_2")->forward(unit(name + "_1", x));
  const auto down = convs_.find(name + "_down");
  return tapped(name, y + (down == convs_.end() ? sum : down->second->forward(x)));
}

}  // namespace distal
