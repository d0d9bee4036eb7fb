#pragma once
// What is trained where features come from elsewhere: a head, `fc`. Head `linear` is one layer.
// Head `probe` is the same layer, fitted by logistic regression. Head `mlp` has a hidden layer with
// GELU (Hendrycks, Gimpel, arXiv 1606.08415). Dropout acts before the last layer.

#include <cstdint>
#include <memory>
#include <string>

#include "distal/models/model.h"

namespace distal {

class Linear;
class OptionVisitor;
class Random;

struct HeadOptions {
  std::string head = "linear";
  int64_t hidden = 512;
  double dropout = 0;
  void visit(OptionVisitor& v) const;
  bool operator==(const HeadOptions&) const = default;
  bool linear() const { return head != "mlp"; }
  bool probe() const { return head == "probe"; }
};

/// The embedding of a clip is its features [N, D].
class FeatureHead : public Net {
 public:
  FeatureHead(int64_t features, const HeadOptions& options, int64_t classes);
  torch::Tensor head(const torch::Tensor& features) override;
  int64_t embedding_size() const override;
  torch::Tensor head_weight() const override;
  /// Random weights. A hidden layer keeps the scale of its input (He et al., ICCV 2015).
  void initialise_all(const Random& random);

 private:
  std::shared_ptr<Linear> hidden_, last_;  // hidden_ is null in a linear head
  double dropout_;
};

}  // namespace distal
