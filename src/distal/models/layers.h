#pragma once
// The layers every backbone is made of: convolution (2D and 3D), batch norm, linear, temporal
// shift, and the head. They keep the published parameter names (`weight`, `bias`, `running_mean`,
// `running_var`), are traceable, and run in float32, float64 or under bf16 autocast. Convolutions
// that compute wrong numbers in bf16 (models/gate.h) take a float32 path. Letters: N clips, C
// channels, T frames, H W pixels, K classes, D features.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/models/model.h"

namespace distal {

struct ConvShape {
  int64_t in = 0;                                // channels
  int64_t out = 0;                               // channels
  std::vector<int64_t> kernel, stride, padding;  // one entry per dimension: H, W or T, H, W
  int64_t groups = 1;
  bool bias = false;
  bool same = false;  // TensorFlow's SAME instead of `padding`: total = max((ceil(n/s)-1)s + k - n,
                      // 0), total/2 before
  bool normed = true;  // a batch norm follows: Kaiming by fan-out; otherwise by fan-in, which keeps
                       // the activations' scale
  double gain = 2;     // of that initialisation: 2 before a ReLU, 1 before nothing
};
/// The same extent in all `dims` dimensions, padding k/2.
ConvShape cube(int dims, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);

/// Channels of a widened or narrowed layer: to a multiple of 8, at least 8, never below nine tenths
/// (MobileNetV2, section 4 and the authors' code; PyTorchVideo's round_width).
int64_t rounded_channels(double channels);

class Conv final : public torch::nn::Module {
 public:
  explicit Conv(ConvShape shape);
  /// x [N, C, H, W] or [N, C, T, H, W] to the same with `out` channels.
  torch::Tensor forward(const torch::Tensor& x);

  const ConvShape& shape() const { return shape_; }
  bool full_precision() const { return full_precision_; }
  /// Under autocast this layer computes in float32 all the same.
  void set_full_precision(bool on) { full_precision_ = on; }

  /// For the gate: while set (per thread), each call is noted. Input as given to `forward`.
  struct Call {
    Conv* conv;
    std::vector<int64_t> input;
    bool channels_last;
  };
  static std::vector<Call>*& calls();
  /// For tests of the gate: replaces the weight on the bf16 path only (its gradient can be
  /// corrupted by a hook).
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

/// Batch norm over all but the channel dimension; momentum 0.1, epsilon 1e-5. In training mode it
/// uses the batch's statistics, unless its weight is frozen (requires_grad false): then the running
/// ones, which stay as they are.
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

/// Only a name: children "0", "1", ...
class Sequence final : public torch::nn::Module {};

/// A net whose last layer is dropout and one linear layer, always named `fc`.
class Classifier : public Net {
 public:
  torch::Tensor head(const torch::Tensor& embedding) override;
  int64_t embedding_size() const override { return fc_->weight.size(1); }
  torch::Tensor head_weight() const override { return fc_->weight; }

 protected:
  void add_head(int64_t features, int64_t classes,
                double dropout);  // last in the constructor: registration order
  /// Mean over all dimensions after the channel, as float32 (float64 stays).
  static torch::Tensor pooled(const torch::Tensor& x);

 private:
  std::shared_ptr<Linear> fc_;
  double dropout_ = 0;
};

/// Max pooling of [N, C, T, H, W] in the dtype that comes: autocast would widen bf16 to float32,
/// which changes nothing but the time and how gradients of overlapping windows add up.
torch::Tensor max_pool(const torch::Tensor& x, torch::IntArrayRef kernel, torch::IntArrayRef stride,
                       torch::IntArrayRef padding);

/// Temporal shift (Lin, Gan, Han, "TSM: Temporal Shift Module for Efficient Video Understanding",
/// ICCV 2019, arXiv 1811.08383): of every clip's `frames` frames, the first C/div channels take the
/// next frame's value (the last gets 0), the next C/div the previous frame's (the first gets 0),
/// the rest stays. x [N*T, C, H, W], frame by frame. With `online` the first C/div channels take
/// the previous frame's value and all others stay: the paper's uni-directional shift, in which
/// nothing comes from the future.
torch::Tensor temporal_shift(const torch::Tensor& x, int64_t frames, int64_t div = 8,
                             bool online = false);

/// What clips a net takes; `check` throws Error that says so.
struct ClipLimits {
  const char* net;
  int64_t frames_multiple = 1;
  int64_t smallest_px = 16;
  void check(const torch::Tensor& clips) const;
};

/// Fills every layer of `net`: convolutions Kaiming normal, batch norms 1 and 0, linear N(0, 0.01)
/// and 0. A layer's values depend on the random, its name and its shape alone.
void initialise(Net& net, const Random& random);

/// Intermediate maps by published name, for those who want to see them: while a Taps lives, the
/// nets run by its thread leave theirs in `maps`.
class Taps {
 public:
  Taps();
  ~Taps();
  Taps(const Taps&) = delete;
  std::map<std::string, torch::Tensor> maps;
};
void tap(const std::string& name, const torch::Tensor& map);

}  // namespace distal
