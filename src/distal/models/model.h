#pragma once
// A model maps clips to class logits and an embedding; the logits are a linear function of the
// embedding (`head`). Backbones are a family: one file each in backbones/, picked by name. A model
// may be used by one thread at a time; evaluation under NoGrad by several.

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
  torch::Tensor
      embedding;  // float32 [N, D], what enters the classifier (frame nets: the mean over frames)
};

class Net : public torch::nn::Module {
 public:
  /// clips: float32 [N, 3, T, H, W] in [-1, 1]. A clip size the net cannot take: Error that says
  /// which it can.
  virtual Output forward(const torch::Tensor& clips) = 0;
  /// Logits from an embedding [N, D]: the last layer alone (dropout included in training mode).
  virtual torch::Tensor head(const torch::Tensor& embedding) = 0;
  virtual int64_t embedding_size() const = 0;
  virtual torch::Tensor head_weight() const {
    return {};
  }  // float32 [K, D] of a head that is one linear layer; else undefined
};
using Model = std::shared_ptr<Net>;

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// A fresh net with `classes` outputs; the same random gives the same weights.
  virtual Model build(int64_t classes, Random random) const = 0;
};

/// Named parameters and buffers as they go into a weight file: name, tensor. Parameters first, each
/// in registration order.
std::vector<std::pair<std::string, torch::Tensor>> state(const torch::nn::Module& module);
int64_t parameter_count(const Net& net);

/// What is built, and from which weights.
struct ModelOptions {
  Choice<Backbone> backbone{"resnet3d"};  // `student: {name: tsn, ...}` in a recipe
  std::string init;                       // safetensors to start from; empty: random
  std::vector<std::string> init_keys;  // `pattern:replacement`, from the names in that file to ours
  std::vector<std::string>
      freeze;  // prefixes of parameter names that are not trained; "backbone": all but the head
  void visit(OptionVisitor& v) const;                // the backbone's fields stand beside these
  bool operator==(const ModelOptions& other) const;  // `account` aside
  /// Throws Error: an init that fills less than half of the net before its classifier, a freeze
  /// that matches nothing.
  Model build(int64_t classes, Random random) const;
  mutable std::string account;  // after build with init: what was matched, missing, unused
};

}  // namespace distal
