#pragma once
// What a traced evaluation of a network looks like to who translates it: nodes of aten operations,
// their arguments as plain values, sizes with the batch as -1. Constants are computed already,
// slices of weights included; a number that is another in the other trace depends on the batch and
// is none.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace distal {

class Net;

class Trace {
 public:
  /// Traces `net`, as freeze() says, on clips [3, T, H, W].
  Trace(Net& net, const std::vector<int64_t>& clip);

  const torch::jit::Value* clips() const { return graph_->inputs()[0]; }
  const torch::jit::Value* logits() const { return graph_->outputs()[0]; }
  const torch::jit::Value* embedding() const { return graph_->outputs()[1]; }
  /// In the order of execution, without constants and lists of constants.
  std::vector<const torch::jit::Node*> nodes() const;

  /// Sizes of a tensor; -1 where they depend on the batch.
  std::vector<int64_t> sizes(const torch::jit::Value* value) const;
  /// An argument that is known beforehand: a number, a list, a tensor; None where it is one.
  /// Nothing: it depends on the clips or on the batch.
  std::optional<c10::IValue> constant(const torch::jit::Value* value) const;

 private:
  void compare(const torch::jit::Value* two, const torch::jit::Value* three);

  std::shared_ptr<torch::jit::Graph> graph_;
  std::map<const torch::jit::Value*, std::vector<int64_t>> sizes_;
  std::set<const torch::jit::Value*> varying_;
};

}  // namespace distal
