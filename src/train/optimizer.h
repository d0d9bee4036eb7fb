#pragma once
// LibTorch's optimisers behind one door: weight decay on matrices only, and a state that can be written to a checkpoint.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "models/model.h"
#include "models/weights.h"
#include "train/fit.h"

namespace distal {

class Optimizer {
 public:
  /// Takes the parameters of `net` that require a gradient. Throws Error when there are none.
  Optimizer(const Net& net, const TrainingOptions& options);
  ~Optimizer();
  void zero_grad();
  void step(double learning_rate);
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  /// Moments by parameter name, `optimizer.KIND.NAME`; empty before the first step.
  Tensors state() const;
  void load(const Tensors& tensors);

 private:
  struct Library;
  std::vector<std::string> names_;
  std::vector<torch::Tensor> parameters_;
  std::unique_ptr<Library> library_;
};

}  // namespace distal
