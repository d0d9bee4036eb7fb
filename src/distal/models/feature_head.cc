#include "distal/models/feature_head.h"

#include <cmath>

#include <ATen/ATen.h>

#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/layers.h"

namespace distal {

void HeadOptions::visit(OptionVisitor& v) const {
  v("head", head,
    "what is trained: linear, one layer; mlp, a hidden layer before it; probe, one layer that is "
    "fitted by logistic regression instead of steps",
    one_of({"linear", "mlp", "probe"}));
  v("hidden", hidden, "width of the hidden layer of head mlp", between(1, 65536));
  v("dropout", dropout, "share of the features dropped before the last layer", between(0, 0.99));
}

FeatureHead::FeatureHead(int64_t features, const HeadOptions& options, int64_t classes)
    : dropout_(options.dropout) {
  if (options.linear()) {
    last_ = register_module("fc", std::make_shared<Linear>(features, classes));
    return;
  }
  const auto head = register_module("fc", std::make_shared<Sequence>());
  hidden_ = head->register_module("hidden", std::make_shared<Linear>(features, options.hidden));
  last_ = head->register_module("out", std::make_shared<Linear>(options.hidden, classes));
}

at::Tensor FeatureHead::head(const at::Tensor& features) {
  const at::Tensor x = hidden_ ? at::gelu(hidden_->forward(features)) : features;
  const at::Tensor logits = last_->forward(at::dropout(x, dropout_, is_training() && dropout_ > 0));
  return logits.scalar_type() == at::kBFloat16 ? logits.to(at::kFloat) : logits;
}

int64_t FeatureHead::embedding_size() const { return (hidden_ ? hidden_ : last_)->weight.size(1); }

at::Tensor FeatureHead::head_weight() const { return hidden_ ? at::Tensor() : last_->weight; }

void FeatureHead::initialise_all(const Random& random) {
  initialise(*this, random);
  if (!hidden_) return;
  const torch::NoGradGuard no_grad;
  hidden_->weight.mul_(100 * std::sqrt(2.0 / static_cast<double>(embedding_size())));
}

}  // namespace distal
