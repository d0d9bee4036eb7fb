#pragma once
// A model maps clips to class logits and an embedding. The logits are a linear function of the
// embedding (`head`). Backbones are a family with one file each in backbones/. One thread at a time
// may use a model. Several threads may evaluate it under NoGrad. Letters: N clips, T frames, H W
// pixels, K classes, D features.

#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal {

struct Output {
  torch::Tensor logits;  // float32 [N, K]
  // float32 [N, D], the input of the classifier; networks of single frames: the mean over frames
  torch::Tensor embedding;
};

class Net : public torch::nn::Module {
 public:
  /// `clips` is float32 [N, 3, T, H, W] in [-1, 1]. Throws Error with the valid sizes if the
  /// network does not support the size of the clips.
  virtual Output forward(const torch::Tensor& clips) = 0;
  /// The logits of embeddings [N, D]. Applies only the last layer, in training mode with dropout.
  virtual torch::Tensor head(const torch::Tensor& embedding) = 0;
  virtual int64_t embedding_size() const = 0;
  /// float32 [K, D], the weight of a head that is one linear layer. Otherwise undefined.
  virtual torch::Tensor head_weight() const { return {}; }
};
using Model = std::shared_ptr<Net>;

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// A new network with `classes` outputs. Equal `random` gives equal weights.
  virtual Model build(int64_t classes, Random random) const = 0;
};

/// The named parameters, then the named buffers, each in registration order. Weight files store
/// them.
std::vector<std::pair<std::string, torch::Tensor>> state(const torch::nn::Module& module);
int64_t parameter_count(const Net& net);

/// The network and its initial weights.
struct ModelOptions {
  Choice<Backbone> backbone{"resnet3d"};  // `student: {name: tsn, ...}` in a recipe
  std::string init;                       // safetensors to start from; empty: random
  std::vector<std::string> init_keys;  // `pattern:replacement` for the names of tensors in `init`
  // prefixes of the names of parameters that stay fixed; "backbone": all but the head
  std::vector<std::string> freeze;
  /// The options of the backbone are in the same section.
  void visit(OptionVisitor& v) const;
  bool operator==(const ModelOptions& other) const;  // `account` aside
  /// Builds the network and loads `init`. Throws Error: `init` has weights for less than half of
  /// the network before its classifier, or `freeze` matches nothing.
  Model build(int64_t classes, Random random) const;
  mutable std::string account;  // after build with init: what was matched, missing, unused
};

}  // namespace distal
