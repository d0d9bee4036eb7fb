#pragma once
// For tests: a small ONNX network of others, for single frames, and what it computes. Its tensors
// are named as those of our exports are.

#include <bit>
#include <fstream>

#include <ATen/ATen.h>

#include "distal/base/protobuf.h"

namespace distal {

/// frames [N, 3, H, W] -> convolution, ReLU -> mean over positions -> [N, 6].
class SmallNetwork {
 public:
  explicit SmallNetwork(uint64_t seed) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    weight_ = at::randn({6, 3, 3, 3}, generator) / 3;
    bias_ = at::randn({6}, generator);
  }

  /// Writes it for frames of `size_px`. With `maps`, it gives [N, 6, h, w].
  void write(const std::string& path, int64_t size_px, bool maps = false,
             int64_t opset = 13) const {
    std::string graph =
        node("Conv", {"clips", "w", "b"}, "t0",
             ints("strides", {2, 2}) + ints("pads", {1, 1, 1, 1}) + ints("kernel_shape", {3, 3})) +
        node("Relu", {"t0"}, maps ? "logits" : "t1", "");
    if (!maps) {
      graph += node("GlobalAveragePool", {"t1"}, "t2", "") + node("Flatten", {"t2"}, "logits", "");
    }
    graph += bytes_field(2, "small") + tensor("w", weight_) + tensor("b", bias_);
    graph += bytes_field(11, value("clips", {3, size_px, size_px}));
    const int64_t half = (size_px + 1) / 2;
    graph += bytes_field(
        12, value("logits", maps ? std::vector<int64_t>{6, half, half} : std::vector<int64_t>{6}));
    std::ofstream(path, std::ios::binary)
        << varint_field(1, 7) + bytes_field(7, graph) +
               bytes_field(8, bytes_field(1, "") + varint_field(2, opset));
  }

  /// Of clips [N, 3, T, H, W] in [-1, 1]: [N, 6], as network: {range: unit, mean and std of
  /// ImageNet, pooling: mean} takes them.
  at::Tensor features(const at::Tensor& clips) const {
    const auto per_channel = [](double r, double g, double b) {
      return at::tensor({r, g, b}, at::kFloat).view({1, 3, 1, 1});
    };
    at::Tensor x = clips.transpose(1, 2).flatten(0, 1) * 0.5 + 0.5;
    x = (x - per_channel(0.485, 0.456, 0.406)) / per_channel(0.229, 0.224, 0.225);
    const at::Tensor maps = at::conv2d(x, weight_, bias_, 2, 1).relu();
    return maps.mean({2, 3}).view({clips.size(0), clips.size(2), 6}).mean(1);
  }

 private:
  static std::string ints(const char* name, std::vector<int64_t> values) {
    std::string out = bytes_field(1, name);
    for (const int64_t value : values) out += varint_field(8, value);
    return bytes_field(5, out + varint_field(20, 7));
  }
  static std::string node(const char* type, const std::vector<std::string>& inputs,
                          const std::string& output, const std::string& attributes) {
    std::string out;
    for (const auto& input : inputs) out += bytes_field(1, input);
    return bytes_field(1, out + bytes_field(2, output) + bytes_field(4, type) + attributes);
  }
  static std::string tensor(const char* name, const at::Tensor& values) {
    std::string out;
    for (const int64_t size : values.sizes()) out += varint_field(1, size);
    return bytes_field(5, out + varint_field(2, 1) + bytes_field(8, name) +
                              bytes_field(9, {static_cast<const char*>(values.const_data_ptr()),
                                              values.nbytes()}));
  }
  static std::string value(const char* name, const std::vector<int64_t>& sizes) {
    std::string shape = bytes_field(1, bytes_field(2, "batch"));
    for (const int64_t size : sizes) shape += bytes_field(1, varint_field(1, size));
    return bytes_field(1, name) +
           bytes_field(2, bytes_field(1, varint_field(1, 1) + bytes_field(2, shape)));
  }

  at::Tensor weight_, bias_;
};

}  // namespace distal
