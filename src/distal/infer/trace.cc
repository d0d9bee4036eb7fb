#include "distal/infer/trace.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "distal/base/error.h"
#include "distal/models/model.h"

namespace distal {
namespace {

namespace jit = torch::jit;

// While it lives the net is in evaluation mode and none of its parameters wants a gradient, which a
// constant of a graph may not.
class AsConstants {
 public:
  explicit AsConstants(Net& net) : net_(net), training_(net.is_training()) {
    net.eval();
    for (auto& parameter : net.parameters()) {
      if (!parameter.requires_grad()) continue;
      trained_.push_back(parameter);
      parameter.requires_grad_(false);
    }
  }
  ~AsConstants() {
    for (auto& parameter : trained_) parameter.requires_grad_();
    net_.train(training_);
  }
  AsConstants(const AsConstants&) = delete;

 private:
  Net& net_;
  bool training_;
  std::vector<at::Tensor> trained_;
};

std::shared_ptr<jit::Graph> traced(Net& net, int64_t batch, const std::vector<int64_t>& clip) {
  std::vector<int64_t> sizes = {batch};
  sizes.insert(sizes.end(), clip.begin(), clip.end());
  const auto run = [&](const jit::Stack& inputs) -> jit::Stack {
    const Output output = net.forward(inputs[0].toTensor());
    return {output.logits, output.embedding};
  };
  const auto no_name = [](const at::Tensor&) { return ""; };
  jit::tracer::setWarn([](const std::string&) {
  });  // whether the graph depends on the batch is seen by comparing two
  auto graph =
      jit::tracer::trace({at::zeros(sizes)}, run, no_name, /*strict=*/true, /*force_outplace=*/true)
          .first->graph;
  jit::ConstantPropagation(graph);
  jit::EliminateDeadCode(graph);
  return graph;
}

std::vector<int64_t> sizes_of(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
  return sizes.value_or(std::vector<int64_t>{});
}

bool alike(const c10::IValue& a, const c10::IValue& b) {
  if (!a.isTensor() || !b.isTensor()) return a == b;
  return a.toTensor().sizes() == b.toTensor().sizes() && at::equal(a.toTensor(), b.toTensor());
}

}  // namespace

Trace::Trace(Net& net, const std::vector<int64_t>& clip) {
  const torch::NoGradGuard no_grad;
  const AsConstants as_constants(net);
  graph_ = traced(net, 2, clip);
  const auto other = traced(net, 3, clip);
  compare(clips(), other->inputs()[0]);
  auto at = other->nodes().begin();
  for (const auto* node : graph_->nodes()) {
    expect(at != other->nodes().end() && node->kind() == at->kind() &&
               node->outputs().size() == at->outputs().size(),
           "a net computes the same for every batch");
    for (size_t i = 0; i < node->outputs().size(); ++i)
      compare(node->outputs()[i], at->outputs()[i]);
    ++at;
  }
  expect(at == other->nodes().end(), "a net computes the same for every batch");
}

void Trace::compare(const jit::Value* two, const jit::Value* three) {
  auto sizes = sizes_of(two);
  const auto others = sizes_of(three);
  expect(sizes.size() == others.size(), "a net computes the same for every batch");
  for (size_t d = 0; d < sizes.size(); ++d) sizes[d] = sizes[d] == others[d] ? sizes[d] : -1;
  sizes_[two] = sizes;
  const auto first = jit::toIValue(two);
  const auto second = jit::toIValue(three);
  if (first && second && !alike(*first, *second)) varying_.insert(two);
}

std::vector<const jit::Node*> Trace::nodes() const {
  std::vector<const jit::Node*> nodes;
  for (const auto* node : graph_->nodes()) {
    if (node->kind() != c10::prim::Constant && node->kind() != c10::prim::ListConstruct)
      nodes.push_back(node);
  }
  return nodes;
}

std::vector<int64_t> Trace::sizes(const jit::Value* value) const {
  const auto fixed = constant(value);
  return fixed && fixed->isTensor() ? fixed->toTensor().sizes().vec() : sizes_.at(value);
}

std::optional<c10::IValue> Trace::constant(const jit::Value* value) const {
  if (varying_.contains(value)) return std::nullopt;
  if (value->node()->kind() != c10::prim::ListConstruct) return jit::toIValue(value);
  c10::List<int64_t> list;
  for (const auto* entry : value->node()->inputs()) {
    const auto number = varying_.contains(entry) ? std::nullopt : jit::toIValue(entry);
    if (!number || !number->isInt()) return std::nullopt;
    list.push_back(number->toInt());
  }
  return list;
}

}  // namespace distal
