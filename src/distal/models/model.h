#pragma once
// A model maps clips to class logits and an embedding. The logits are a linear function of the
// embedding (`head`). Backbones build models (models/backbone.h). One thread at a time may use a
// model. Several threads may evaluate it under NoGrad. Letters: N clips, T frames, H W pixels, K
// classes, D features.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "distal/models/model_fwd.h"
#include "distal/models/output.h"

namespace distal {

class ForeignNetwork;

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
  /// The network of others that computes the embeddings; null: the parameters of this net do. Its
  /// weights are no part of state(). Its id() says which it is.
  virtual ForeignNetwork* network() const { return nullptr; }
};

/// The named parameters, then the named buffers, each in registration order. Weight files store
/// them.
std::vector<std::pair<std::string, torch::Tensor>> state(const torch::nn::Module& module);
int64_t parameter_count(const Net& net);

}  // namespace distal
