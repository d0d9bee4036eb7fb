#include "distal/infer/freeze.h"

#include <limits>
#include <numeric>
#include <set>

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/infer/trace.h"
#include "distal/models/model.h"

namespace distal {
namespace {

using torch::jit::Node;
using torch::jit::Value;
using Attributes = std::map<std::string, OnnxAttribute>;
using Ints = std::vector<int64_t>;

class Translation {
 public:
  Translation(const Trace& trace, const Net& net) : trace_(trace) {
    names_[trace.clips()] = "clips";
    for (const auto& [name, tensor] : state(net)) parameters_[tensor.const_data_ptr()] = name;
  }
  OnnxModel run();

  // Arguments of the node being translated.
  std::string name(size_t argument) { return name_of(node_->input(argument)); }
  Ints sizes(size_t argument) const { return trace_.sizes(node_->input(argument)); }
  Ints ints(size_t argument) const { return value(argument).toIntVector(); }
  int64_t number(size_t argument) const { return value(argument).toInt(); }
  bool truth(size_t argument) const { return value(argument).toBool(); }
  float real(size_t argument) const {
    return static_cast<float>(value(argument).toScalar().to<double>());
  }
  bool none(size_t argument) const {
    return argument >= node_->inputs().size() || node_->input(argument)->mustBeNone();
  }
  Ints out_sizes() const { return trace_.sizes(node_->output()); }
  size_t dimension(size_t argument) const {
    const int64_t d = number(argument);
    return static_cast<size_t>(d < 0 ? d + std::ssize(sizes(0)) : d);
  }
  std::vector<std::string> names_of_list(size_t argument);
  /// A name or a number, as the second operand of an arithmetic operation may be either.
  std::string operand(size_t argument);

  std::string emit(const std::string& type, std::vector<std::string> inputs,
                   Attributes attributes = {});
  std::string constant_of(const at::Tensor& tensor);
  std::string constant_of(const Ints& values) { return constant_of(at::tensor(values, at::kLong)); }
  std::string slice(const std::string& x, size_t dimension, int64_t start, int64_t end,
                    int64_t step);
  void result(const std::string& name) { names_[node_->output()] = name; }
  void same() { result(name(0)); }
  [[noreturn]] void refuse(const std::string& what) const {
    fail("this network cannot be frozen: {} {}; evaluate it by LibTorch, or export it as "
         "safetensors",
         node_->kind().toQualString(), what);
  }

 private:
  c10::IValue value(size_t argument) const {
    const auto known = trace_.constant(node_->input(argument));
    if (!known)
      refuse(fmt::format("has an argument ({}) that depends on the clips, or on how many there are",
                         argument));
    return *known;
  }
  std::string name_of(const Value* value);
  void call_output(const Value* value, const std::string& wanted);

  const Trace& trace_;
  const Node* node_ = nullptr;
  std::map<const Value*, std::string> names_;
  std::map<const void*, std::string> parameters_;  // names by where they lie
  OnnxModel model_;
};

std::string Translation::name_of(const Value* value) {
  const auto known = names_.find(value);
  if (known != names_.end()) return known->second;
  const auto fixed = trace_.constant(value);
  if (!fixed || !fixed->isTensor()) refuse("has a tensor that depends on how many clips there are");
  return names_[value] = constant_of(fixed->toTensor());
}

std::vector<std::string> Translation::names_of_list(size_t argument) {
  std::vector<std::string> names;
  for (const auto* entry : node_->input(argument)->node()->inputs())
    names.push_back(name_of(entry));
  return names;
}

std::string Translation::operand(size_t argument) {
  return node_->input(argument)->type()->cast<c10::TensorType>()
             ? name(argument)
             : constant_of(at::scalar_tensor(real(argument)));
}

std::string Translation::emit(const std::string& type, std::vector<std::string> inputs,
                              Attributes attributes) {
  const std::string output = fmt::format("t{}", model_.nodes.size());
  model_.nodes.push_back({type, std::move(inputs), output, std::move(attributes)});
  return output;
}

std::string Translation::constant_of(const at::Tensor& tensor) {
  const auto parameter = parameters_.find(tensor.const_data_ptr());
  std::string name = parameter == parameters_.end() ? "" : parameter->second;
  if (name.empty() || model_.constants.count(name))
    name = fmt::format("c{}", model_.constants.size());
  model_.constants[name] = tensor.is_floating_point() ? tensor.detach().to(at::kFloat) : tensor;
  return name;
}

std::string Translation::slice(const std::string& x, size_t dimension, int64_t start, int64_t end,
                               int64_t step) {
  return emit("Slice",
              {x, constant_of(Ints{start}), constant_of(Ints{end}),
               constant_of(Ints{static_cast<int64_t>(dimension)}), constant_of(Ints{step})});
}

Ints joined(Ints before, const Ints& after) {
  before.insert(before.end(), after.begin(), after.end());
  return before;
}

// (input, weight, bias, stride, padding, dilation, ...)
void convolution(Translation& t, size_t groups) {
  const Ints weight = t.sizes(1);
  const Ints padding = t.ints(4);
  std::vector<std::string> inputs = {t.name(0), t.name(1)};
  if (!t.none(2)) inputs.push_back(t.name(2));
  t.result(t.emit("Conv", inputs,
                  {{"kernel_shape", Ints(weight.begin() + 2, weight.end())},
                   {"strides", t.ints(3)},
                   {"pads", joined(padding, padding)},
                   {"dilations", t.ints(5)},
                   {"group", t.number(groups)}}));
}

void batch_norm(Translation& t) {
  if (t.truth(5)) t.refuse("uses the statistics of the batch");
  t.result(t.emit("BatchNormalization", {t.name(0), t.name(1), t.name(2), t.name(3), t.name(4)},
                  {{"epsilon", t.real(7)}}));
}

// Padding behind that gives the output's sizes, whether they were rounded up or down.
Ints padding_behind(const Ints& in, const Ints& out, const Ints& kernel, const Ints& stride,
                    const Ints& padding) {
  Ints behind = padding;
  const size_t first = in.size() - kernel.size();
  for (size_t d = 0; d < kernel.size(); ++d)
    behind[d] = std::max(behind[d],
                         (out[first + d] - 1) * stride[d] + kernel[d] - in[first + d] - padding[d]);
  return behind;
}

// (input, kernel, stride, padding, dilation, ceil_mode)
void max_pool(Translation& t) {
  const Ints kernel = t.ints(1);
  const Ints padding = t.ints(3);
  const Ints stride = t.ints(2).empty() ? kernel : t.ints(2);
  for (const int64_t d : t.ints(4)) {
    if (d != 1) t.refuse("is dilated");
  }
  const Ints behind = padding_behind(t.sizes(0), t.out_sizes(), kernel, stride, padding);
  t.result(
      t.emit("MaxPool", {t.name(0)},
             {{"kernel_shape", kernel}, {"strides", stride}, {"pads", joined(padding, behind)}}));
}

// (input, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
void average_pool(Translation& t) {
  const Ints kernel = t.ints(1);
  const Ints padding = t.ints(3);
  const Ints stride = t.ints(2).empty() ? kernel : t.ints(2);
  if (!t.none(6) || t.truth(4)) t.refuse("rounds up or has a divisor of its own");
  t.result(t.emit("AveragePool", {t.name(0)},
                  {{"kernel_shape", kernel},
                   {"strides", stride},
                   {"pads", joined(padding, padding)},
                   {"count_include_pad", static_cast<int64_t>(t.truth(5))}}));
}

void arithmetic(Translation& t, const std::string& type) {
  auto second = t.operand(1);
  if (!t.none(2) && t.real(2) != 1)
    second =
        t.emit("Mul", {second, t.constant_of(at::scalar_tensor(t.real(2)))});  // add and sub: alpha
  t.result(t.emit(type, {t.name(0), second}));
}

void reshaped(Translation& t) {
  const Ints sizes = t.out_sizes();
  if (std::count(sizes.begin(), sizes.end(), -1) > 1)
    t.refuse("makes more than one dimension of the batch");
  t.result(t.emit("Reshape", {t.name(0), t.constant_of(sizes)}));
}

void transposed(Translation& t) {
  Ints order(t.sizes(0).size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[t.dimension(1)], order[t.dimension(2)]);
  t.result(t.emit("Transpose", {t.name(0)}, {{"perm", order}}));
}

void permuted(Translation& t) {
  Ints order = t.ints(1);
  for (auto& d : order) d = d < 0 ? d + std::ssize(order) : d;
  t.result(t.emit("Transpose", {t.name(0)}, {{"perm", order}}));
}

// (input, dim, start, end, step)
void sliced(Translation& t) {
  t.result(t.slice(t.name(0), t.dimension(1), t.none(2) ? 0 : t.number(2),
                   t.none(3) ? std::numeric_limits<int64_t>::max() : t.number(3), t.number(4)));
}

void narrowed(Translation& t) {
  t.result(t.slice(t.name(0), t.dimension(1), t.number(2), t.number(2) + t.number(3), 1));
}

void selected(Translation& t) {
  const size_t d = t.dimension(1);
  const int64_t index = t.number(2) < 0 ? t.number(2) + t.sizes(0)[d] : t.number(2);
  t.result(t.emit("Reshape",
                  {t.slice(t.name(0), d, index, index + 1, 1), t.constant_of(t.out_sizes())}));
}

// (input, amounts from the last dimension on, value): amounts below 0 cut off.
void padded(Translation& t) {
  const Ints amounts = t.ints(1);
  const size_t dims = t.sizes(0).size();
  Ints pads(2 * dims, 0);
  auto x = t.name(0);
  for (size_t i = 0; i < amounts.size() / 2; ++i) {
    const size_t d = dims - 1 - i;
    const int64_t before = amounts[2 * i];
    const int64_t behind = amounts[2 * i + 1];
    if (before < 0 || behind < 0)
      x = t.slice(x, d, std::max<int64_t>(-before, 0),
                  behind < 0 ? behind : std::numeric_limits<int64_t>::max(), 1);
    pads[d] = std::max<int64_t>(before, 0);
    pads[dims + d] = std::max<int64_t>(behind, 0);
  }
  t.result(t.emit("Pad", {x, t.constant_of(pads), t.constant_of(at::scalar_tensor(t.real(2)))}));
}

void mean(Translation& t) {
  Ints dims = t.ints(1);
  for (auto& d : dims) d = d < 0 ? d + std::ssize(t.sizes(0)) : d;
  t.result(t.emit("ReduceMean", {t.name(0)},
                  {{"axes", dims}, {"keepdims", static_cast<int64_t>(t.truth(2))}}));
}

void linear(Translation& t) {
  std::vector<std::string> inputs = {t.name(0), t.name(1)};
  if (!t.none(2)) inputs.push_back(t.name(2));
  if (t.sizes(0).size() == 2) return t.result(t.emit("Gemm", inputs, {{"transB", int64_t{1}}}));
  auto y = t.emit("MatMul", {inputs[0], t.emit("Transpose", {inputs[1]}, {{"perm", Ints{1, 0}}})});
  if (inputs.size() > 2) y = t.emit("Add", {y, inputs[2]});
  t.result(y);
}

using Translator = std::function<void(Translation&)>;

Translator unary(const std::string& type) {
  return [type](Translation& t) { t.result(t.emit(type, {t.name(0)})); };
}
Translator binary(const std::string& type) {
  return [type](Translation& t) { arithmetic(t, type); };
}

const std::map<std::string, Translator>& translators() {
  static const std::map<std::string, Translator> kAll = {
      {"aten::conv2d", [](Translation& t) { convolution(t, 6); }},
      {"aten::conv3d", [](Translation& t) { convolution(t, 6); }},
      {"aten::convolution", [](Translation& t) { convolution(t, 8); }},
      {"aten::_convolution", [](Translation& t) { convolution(t, 8); }},
      {"aten::batch_norm", batch_norm},
      {"aten::linear", linear},
      {"aten::relu", unary("Relu")},
      {"aten::sigmoid", unary("Sigmoid")},
      {"aten::tanh", unary("Tanh")},
      {"aten::silu",
       [](Translation& t) {
         t.result(t.emit("Mul", {t.name(0), t.emit("Sigmoid", {t.name(0)})}));
       }},
      {"aten::hardtanh",
       [](Translation& t) {
         t.result(t.emit("Clip", {t.name(0), t.constant_of(at::scalar_tensor(t.real(1))),
                                  t.constant_of(at::scalar_tensor(t.real(2)))}));
       }},
      {"aten::softmax",
       [](Translation& t) {
         t.result(t.emit("Softmax", {t.name(0)}, {{"axis", static_cast<int64_t>(t.dimension(1))}}));
       }},
      {"aten::max_pool2d", max_pool},
      {"aten::max_pool3d", max_pool},
      {"aten::avg_pool2d", average_pool},
      {"aten::avg_pool3d", average_pool},
      {"aten::mean", mean},
      {"aten::add", binary("Add")},
      {"aten::sub", binary("Sub")},
      {"aten::mul", binary("Mul")},
      {"aten::div", binary("Div")},
      {"aten::addcmul",
       [](Translation& t) {
         if (t.real(3) != 1) t.refuse("has a factor other than 1");
         t.result(t.emit("Add", {t.name(0), t.emit("Mul", {t.name(1), t.name(2)})}));
       }},
      {"aten::cat",
       [](Translation& t) {
         t.result(t.emit("Concat", t.names_of_list(0), {{"axis", t.number(1)}}));
       }},
      {"aten::permute", permuted},
      {"aten::transpose", transposed},
      {"aten::slice", sliced},
      {"aten::narrow", narrowed},
      {"aten::select", selected},
      {"aten::constant_pad_nd", padded},
      {"aten::view", reshaped},
      {"aten::reshape", reshaped},
      {"aten::flatten", reshaped},
      {"aten::unflatten", reshaped},
      {"aten::squeeze", reshaped},
      {"aten::unsqueeze", reshaped},
      {"aten::contiguous", &Translation::same},
      {"aten::dropout", &Translation::same},
      {"aten::to", &Translation::same},
  };
  return kAll;
}

void Translation::call_output(const Value* value, const std::string& wanted) {
  const std::string present = name_of(value);
  for (auto& node : model_.nodes) {
    if (node.output == present) node.output = wanted;
    std::replace(node.inputs.begin(), node.inputs.end(), present, wanted);
  }
}

OnnxModel Translation::run() {
  for (const Node* node : trace_.nodes()) {
    node_ = node;
    const auto translator = translators().find(node->kind().toQualString());
    if (translator == translators().end()) refuse("has no counterpart");
    translator->second(*this);
  }
  call_output(trace_.logits(), "logits");
  call_output(trace_.embedding(), "embedding");
  model_.clip = trace_.sizes(trace_.clips());
  model_.clip.erase(model_.clip.begin());
  model_.classes = trace_.sizes(trace_.logits())[1];
  model_.features = trace_.sizes(trace_.embedding())[1];
  return std::move(model_);
}

// Calls nodes by the module they belong to, as viewers show them: the module of their parameter, or
// else that of the node before. Tensors are called by their nodes, and constants without a name by
// the node that reads them.
class ModuleNames {
 public:
  ModuleNames(OnnxModel& model, const std::set<std::string>& parameters)
      : model_(model), parameters_(parameters) {}

  void give() {
    for (OnnxNode& node : model_.nodes) name(node);
    std::map<std::string, at::Tensor> constants;
    for (const auto& [old, tensor] : model_.constants) constants[renamed(old)] = tensor;
    model_.constants = std::move(constants);
  }

 private:
  void name(OnnxNode& node) {
    const std::string module = module_of(node);
    node.name = alone(module.empty() ? node.type : module + "/" + node.type);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      std::string& input = node.inputs[i];
      const bool nameless = model_.constants.count(input) > 0 && parameter_of(input).empty();
      if (nameless && !names_.count(input)) names_[input] = node.name + "/" + role(node.type, i);
      input = renamed(input);
    }
    const bool leaves = node.output == "logits" || node.output == "embedding";
    if (!leaves) names_[node.output] = node.name;
    node.output = renamed(node.output);
    modules_[node.output] = module;
  }
  std::string module_of(const OnnxNode& node) const {
    for (const std::string& input : node.inputs) {
      const std::string parameter = parameter_of(input);
      const size_t point = parameter.rfind('.');
      if (point != std::string::npos) return parameter.substr(0, point);
    }
    for (const std::string& input : node.inputs) {
      const auto before = modules_.find(renamed(input));
      if (before != modules_.end()) return before->second;
    }
    return "";
  }
  // The parameter that a constant is, or was folded from; empty: none.
  std::string parameter_of(const std::string& constant) const {
    const std::string plain = constant.substr(0, constant.find(".folded"));
    return parameters_.count(plain) > 0 ? plain : "";
  }
  std::string alone(const std::string& name) {
    const int64_t before = seen_[name]++;
    return before == 0 ? name : fmt::format("{}_{}", name, before + 1);
  }
  std::string renamed(const std::string& old) const {
    const auto found = names_.find(old);
    return found == names_.end() ? old : found->second;
  }
  static std::string role(const std::string& type, size_t input) {
    static const std::map<std::string, std::vector<std::string>> kRoles = {
        {"Reshape", {"data", "shape"}},
        {"Slice", {"data", "starts", "ends", "axes", "steps"}},
        {"Pad", {"data", "pads", "value"}},
        {"Clip", {"input", "min", "max"}}};
    const auto roles = kRoles.find(type);
    return roles == kRoles.end() ? fmt::format("input_{}", input) : roles->second[input];
  }

  OnnxModel& model_;
  const std::set<std::string>& parameters_;
  std::map<std::string, std::string> names_;    // of tensors, by what they were called
  std::map<std::string, std::string> modules_;  // that made a tensor, by its new name
  std::map<std::string, int64_t> seen_;
};

}  // namespace

OnnxModel freeze(Net& net, const std::vector<int64_t>& clip) {
  if (net.network())
    fail("a model whose backbone is a network of others is no graph of distal's own; evaluate it "
         "with --engine libtorch, or export it from the .safetensors");
  OnnxModel model = Translation(Trace(net, clip), net).run();
  fold_batch_norms(model);
  std::set<std::string> parameters;
  for (const auto& [name, tensor] : state(net)) parameters.insert(name);
  ModuleNames(model, parameters).give();
  return model;
}

void fold_batch_norms(OnnxModel& model) {
  std::map<std::string, size_t> made_by;
  std::vector<bool> gone(model.nodes.size());
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    OnnxNode& norm = model.nodes[i];
    made_by[norm.output] = i;
    if (norm.type != "BatchNormalization") continue;
    const auto maker = made_by.find(norm.inputs[0]);
    if (maker == made_by.end() || model.nodes[maker->second].type != "Conv" ||
        model.readers(norm.inputs[0]) != 1)
      continue;
    OnnxNode& conv = model.nodes[maker->second];
    const auto parameter = [&](size_t input) {
      return model.constants.at(norm.inputs[input]).to(at::kDouble);
    };
    const auto factor =
        parameter(1) /
        (parameter(4) + static_cast<double>(std::get<float>(norm.attributes.at("epsilon")))).sqrt();
    const auto weight = model.constants.at(conv.inputs[1]);
    const bool biased = conv.inputs.size() > 2;
    const auto bias =
        biased ? model.constants.at(conv.inputs[2]).to(at::kDouble) : at::zeros_like(factor);
    std::vector<int64_t> along(static_cast<size_t>(weight.dim()), 1);
    along[0] = -1;
    conv.inputs.resize(3);
    const bool shared = model.constants.count(conv.inputs[1] + ".folded") > 0;
    conv.inputs[1] += shared ? ".folded_into_" + norm.output : ".folded";
    conv.inputs[2] = conv.inputs[1] + ".bias";
    model.constants[conv.inputs[1]] = (weight.to(at::kDouble) * factor.view(along)).to(at::kFloat);
    model.constants[conv.inputs[2]] =
        ((bias - parameter(3)) * factor + parameter(2)).to(at::kFloat);
    conv.output = norm.output;
    made_by[norm.output] = maker->second;
    gone[i] = true;
  }
  size_t row = 0;
  std::erase_if(model.nodes, [&](const OnnxNode&) { return gone[row++]; });
  std::erase_if(model.constants,
                [&](const auto& constant) { return model.readers(constant.first) == 0; });
}

}  // namespace distal
