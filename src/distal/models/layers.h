#pragma once
// The layers of all backbones: convolution (2D and 3D), batch norm, linear, temporal shift, and the
// head. They use the published names of parameters (`weight`, `bias`, `running_mean`,
// `running_var`). They can be traced. They run in float32, float64 or under bf16 autocast.
// Convolutions that fail the gate for bf16 (models/gate.h) run in float32. Letters: N clips, C
// channels, T frames, H W pixels, K classes, D features.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace distal {

class Net;
class Random;

struct ConvShape {
  int64_t in = 0;                                // channels
  int64_t out = 0;                               // channels
  std::vector<int64_t> kernel, stride, padding;  // one entry per dimension: H, W or T, H, W
  int64_t groups = 1;
  bool bias = false;
  // TensorFlow's SAME instead of `padding`: total = max((ceil(n / s) - 1) s + k - n, 0), total / 2
  // before
  bool same = false;
  // A batch norm follows. Kaiming initialisation then uses fan-out, otherwise fan-in, which keeps
  // the scale of the activations.
  bool normed = true;
  double gain = 2;  // of the initialisation: 2 before a ReLU, 1 otherwise
};
/// A convolution with equal kernel and stride in all `dims` dimensions, and padding k/2.
ConvShape cube(int dims, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);

/// Rounds the channels of a scaled layer to a multiple of 8. The result is at least 8 and at least
/// nine tenths of `channels` (MobileNetV2, section 4 and the authors' code; PyTorchVideo's
/// round_width).
int64_t rounded_channels(double channels);

class Conv final : public torch::nn::Module {
 public:
  explicit Conv(ConvShape shape);
  /// Maps x [N, C, H, W] or [N, C, T, H, W] to the same layout with `out` channels.
  torch::Tensor forward(const torch::Tensor& x);

  const ConvShape& shape() const { return shape_; }
  bool full_precision() const { return full_precision_; }
  /// Makes this layer compute in float32 under autocast.
  void set_full_precision(bool on) { full_precision_ = on; }

  /// For the gate. While the list of the thread is set, each call of `forward` adds an entry with
  /// the size of its input.
  struct Call {
    Conv* conv;
    std::vector<int64_t> input;
    bool channels_last;
  };
  static std::vector<Call>*& calls();
  /// For tests of the gate. Replaces the weight on the bf16 path only. A hook on the new weight can
  /// corrupt its gradient.
  static std::function<torch::Tensor(const Conv&, const torch::Tensor& weight,
                                     const torch::Tensor& x)>&
  bf16_fault();

  torch::Tensor weight, bias;  // [out, in / groups, kernel...] [out] or undefined

 private:
  torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& w,
                         const torch::Tensor& b) const;
  ConvShape shape_;
  bool full_precision_ = false;
};

/// Batch norm over all dimensions but the channel. Momentum 0.1, epsilon 1e-5. In training mode it
/// uses the statistics of the batch. If its weight is frozen (requires_grad false), it uses the
/// running statistics and does not update them.
class BatchNorm final : public torch::nn::Module {
 public:
  explicit BatchNorm(int64_t channels);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor weight, bias, running_mean, running_var;  // [C]
};

class Linear final : public torch::nn::Module {
 public:
  Linear(int64_t in, int64_t out);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor weight, bias;  // [out, in] [out]
};

/// A container that names its children "0", "1", ...
class Sequence final : public torch::nn::Module {};

/// Max pooling of [N, C, T, H, W] in the dtype of the input. Autocast would convert bf16 to
/// float32. That takes more time and gives the same values. Only the sums of gradients of
/// overlapping windows differ.
torch::Tensor max_pool(const torch::Tensor& x, torch::IntArrayRef kernel, torch::IntArrayRef stride,
                       torch::IntArrayRef padding);

/// Temporal shift (Lin, Gan, Han, "TSM: Temporal Shift Module for Efficient Video Understanding",
/// ICCV 2019, arXiv 1811.08383). The first C/div channels of a frame get the values of the next
/// frame, and 0 in the last frame. The next C/div channels get the values of the previous frame,
/// and 0 in the first frame. The other channels stay. x is [N * T, C, H, W] with T = `frames`. With
/// `online`, the first C/div channels get the values of the previous frame, and all others stay.
/// This is the uni-directional shift of the paper, which uses no later frames.
torch::Tensor temporal_shift(const torch::Tensor& x, int64_t frames, int64_t div = 8,
                             bool online = false);

/// The sizes of clips that a network supports. `check` throws Error with these sizes for other
/// clips.
struct ClipLimits {
  const char* net;
  int64_t frames_multiple = 1;
  int64_t smallest_px = 16;
  void check(const torch::Tensor& clips) const;
};

/// Initialises every layer of `net`: convolutions by Kaiming normal, batch norms with 1 and 0,
/// linear layers with N(0, 0.01) and 0. The values of a layer depend only on `random`, its name and
/// its shape.
void initialise(Net& net, const Random& random);

/// Records feature maps by their published names. During the lifetime of a Taps, networks that its
/// thread runs store their maps in `maps`.
class Taps {
 public:
  Taps();
  ~Taps();
  Taps(const Taps&) = delete;
  std::map<std::string, torch::Tensor> maps;
};
void tap(const std::string& name, const torch::Tensor& map);

}  // namespace distal
