#pragma once
// The last layers of a backbone.

#include <cstdint>
#include <memory>

#include <torch/types.h>

#include "distal/models/layers.h"
#include "distal/models/model.h"

namespace distal {

/// A net whose last layer is dropout and one linear layer, always named `fc`.
class Classifier : public Net {
 public:
  torch::Tensor head(const torch::Tensor& embedding) override;
  int64_t embedding_size() const override { return fc_->weight.size(1); }
  torch::Tensor head_weight() const override { return fc_->weight; }

 protected:
  /// Call it last in the constructor, because of the order of registration.
  void add_head(int64_t features, int64_t classes, double dropout);
  /// The mean over all dimensions after the channel, in float32, or in float64 for float64.
  static torch::Tensor pooled(const torch::Tensor& x);

 private:
  std::shared_ptr<Linear> fc_;
  double dropout_ = 0;
};

}  // namespace distal
