#pragma once
// SGD with Nesterov momentum and AdamW as LibTorch's fused kernels: one pass over weights,
// gradients and moments a step. Weight decay on matrices only; a state that can be written to a
// checkpoint.
//   SGD:   g += wd w;  m = mu m + g (first step: m = g);  w -= lr (g + mu m)     (Sutskever et al.,
//   ICML 2013, as PyTorch writes it) AdamW: w -= lr wd w;  Adam step with betas 0.9, 0.999, eps
//   1e-8              (Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101)

#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/models/weights.h"
#include "distal/train/fit.h"

namespace distal {

class Net;

class Optimizer {
 public:
  /// Takes the parameters that require a gradient, of `net` and of `extra` (null: nothing), whose
  /// names get the prefix "extra.". Throws Error when the net has none.
  Optimizer(const Net& net, const torch::nn::Module* extra, const TrainingOptions& options);
  void zero_grad();
  void step(double learning_rate);
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  /// Moments by parameter name, `optimizer.KIND.NAME`; what has not been stepped yet has none. They
  /// lie where their parameter lies; `load` takes them there from any device.
  Tensors state() const;
  void load(const Tensors& tensors);

 private:
  struct Moments {
    torch::Tensor first, second,
        steps;  // like the parameter; second and steps (float32 scalar) with AdamW only
  };
  void add(const torch::nn::Module& module, const std::string& prefix);
  void step(const std::vector<size_t>& rows, double learning_rate, double weight_decay, bool fresh);

  bool adam_;
  double momentum_, weight_decay_;
  std::vector<std::string> names_;
  std::vector<torch::Tensor> parameters_;
  std::vector<Moments> moments_;
};

}  // namespace distal
