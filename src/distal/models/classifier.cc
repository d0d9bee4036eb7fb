#include "distal/models/classifier.h"

#include <ATen/ATen.h>

namespace distal {

void Classifier::add_head(int64_t features, int64_t classes, double dropout) {
  fc_ = register_module("fc", std::make_shared<Linear>(features, classes));
  dropout_ = dropout;
}

at::Tensor Classifier::head(const at::Tensor& embedding) {
  const auto logits = fc_->forward(at::dropout(embedding, dropout_, is_training() && dropout_ > 0));
  return logits.scalar_type() == at::kBFloat16 ? logits.to(at::kFloat) : logits;
}

at::Tensor Classifier::pooled(const at::Tensor& x) {
  std::vector<int64_t> dims;
  for (int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  return x.mean(dims, /*keepdim=*/false, x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

}  // namespace distal
