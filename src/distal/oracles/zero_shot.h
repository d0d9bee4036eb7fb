#pragma once
// A classifier made of texts: a network gives an embedding of a clip, and the classes are
// embeddings of texts by the same model's text encoder.

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/oracles/class_order.h"

namespace distal {

class OptionVisitor;

struct ZeroShotOptions {
  std::string embeddings;            // .npy, [C, D], or [C, P, D] with P texts a class
  std::vector<std::string> classes;  // names of the C rows, or the file that holds them
  double temperature = 0.01;         // CLIP's, whose learned scale ends at 100
  void visit(OptionVisitor& v) const;
  bool operator==(const ZeroShotOptions&) const = default;
};

/// Of an embedding f of a clip and embeddings t_k of texts: softmax over k of cosine(f, t_k) /
/// temperature (A. Radford et al., Learning transferable visual models from natural language
/// supervision, ICML 2021, arXiv 2103.00020, section 3.1.2 and figure 3). Several texts a class are
/// normalised, averaged, and normalised again (section 3.1.4). Both embeddings are normalised here.
class ZeroShotHead {
 public:
  /// `width`: D of the network. Throws Error that begins with `place`: no such file, another shape
  /// or width, values that are not finite or all 0, classes that are not those of the study.
  ZeroShotHead(const ZeroShotOptions& options, const std::string& place, int64_t width,
               const std::vector<std::string>& classes, bool drop_others);
  /// float32 [N, D] to float64 [N, K]: cosine / temperature, in the study's order.
  torch::Tensor logits(const torch::Tensor& features) const;
  const std::vector<std::string>& remarks() const { return order_.remarks; }
  const std::string& id() const { return id_; }  // hash of the file's content

 private:
  ClassOrder order_;
  torch::Tensor texts_;  // float64 [D, K], of length 1
  double temperature_;
  std::string id_;
};

}  // namespace distal
