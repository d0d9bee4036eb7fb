#include "distal/deploy/network_graph.h"

#include <algorithm>
#include <filesystem>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/models/model.h"
#include "distal/models/saved_model.h"
#include "distal/networks/network.h"

namespace distal {
namespace {

using Ints = std::vector<int64_t>;

constexpr const char* kPrefix = "network/";  // of every name of others

// Types of onnx.proto by the names that a port has.
const std::map<std::string, int64_t> kOnnxTypes = {
    {"f32", 1}, {"u8", 2}, {"f16", 10}, {"f64", 11}, {"bf16", 16}};

// Which of the ports has that name; without a name the only one, or the only one for pictures.
size_t place_of_port(const std::vector<NetworkPort>& ports, const std::string& name) {
  const auto fits = [&](const NetworkPort& port) {
    return name.empty() ? ports.size() == 1 || port.shape.size() >= 4 : port.name == name;
  };
  const auto at = std::find_if(ports.begin(), ports.end(), fits);
  expect(at != ports.end(), "an opened network has its ports");
  return static_cast<size_t>(at - ports.begin());
}

bool is_xml(const std::string& file) { return std::filesystem::path(file).extension() == ".xml"; }

class GraphWithNetwork {
 public:
  GraphWithNetwork(const SavedModel& saved, const Ints& clip)
      : net_(*saved.net), options_(*saved.options.network()), frames_(clip[1]), side_(clip[2]) {
    const NetworkDescription file = describe_network(options_.file);
    const size_t input = place_of_port(file.inputs, options_.input);
    const size_t output = place_of_port(file.outputs, options_.output);
    input_ = file.inputs[input];
    output_ = file.outputs[output];
    model_.clip = clip;
    model_.classes = static_cast<int64_t>(saved.classes.size());
    model_.features = net_.embedding_size();
    if (file.inputs.size() != 1)
      fail("{}: it has {} inputs, and a graph that holds it and the head has one, the clips; write "
           "the network again with the others fixed, or export as .safetensors",
           options_.file, file.inputs.size());
    if (is_xml(options_.file)) {
      model_.part_xml = options_.file;
      model_.part_xml_output = output;
      model_.part_output = {output_.shape.begin() + 1, output_.shape.end()};
      in_ = kPrefix + std::string("in");
      out_ = kPrefix + std::string("out");
      return;
    }
    model_.part = read_onnx_part(options_.file, kPrefix);
    expect(model_.part->inputs.size() == 1 && output < model_.part->outputs.size(),
           "OpenVINO keeps the inputs and outputs of the file");
    in_ = model_.part->inputs[0];
    out_ = model_.part->outputs[output];
  }

  OnnxModel made() {
    put_in(as_wanted(normalised("clips")));
    pool();
    add_head();
    return std::move(model_);
  }

 private:
  std::string add(const std::string& type, std::vector<std::string> inputs,
                  std::map<std::string, OnnxAttribute> attributes = {}, std::string output = "") {
    if (output.empty()) output = fmt::format("t{}", model_.nodes.size());
    model_.nodes.push_back({type, std::move(inputs), output, std::move(attributes)});
    return output;
  }
  std::string constant(const at::Tensor& values) {
    const std::string name = fmt::format("c{}", model_.constants.size());
    model_.constants[name] = values;
    return name;
  }
  std::string constant(double value) { return constant(at::scalar_tensor(value, at::kFloat)); }
  std::string reshaped(const std::string& x, const Ints& sizes, const std::string& output = "") {
    return add("Reshape", {x, constant(at::tensor(sizes, at::kLong))}, {}, output);
  }
  std::string transposed(const std::string& x, const Ints& order) {
    return add("Transpose", {x}, {{"perm", order}});
  }

  // Clips in [-1, 1] to the values of the network, channels in its order: [N, 3, T, H, W]. Bytes
  // are not normalised (networks/input_form.h).
  std::string normalised(const std::string& clips) {
    std::string x = input_.type == "u8" ? bytes(clips) : floats(clips);
    if (options_.channels == "bgr")
      x = add("Gather", {x, constant(at::tensor({2, 1, 0}, at::kLong))}, {{"axis", int64_t{1}}});
    return x;
  }

  // Rounded to nearest: Cast cuts off.
  std::string bytes(const std::string& clips) {
    std::string x = add("Mul", {clips, constant(127.5)});
    x = add("Add", {x, constant(128)});
    return add("Clip", {x, constant(0), constant(255)});
  }

  std::string floats(const std::string& clips) {
    const double half = options_.range == "byte" ? 127.5 : options_.range == "unit" ? 0.5 : 1;
    const double middle = options_.range == "signed" ? 0 : half;
    std::vector<double> scale, shift;
    for (size_t c = 0; c < 3; ++c) {
      scale.push_back(half / options_.std[c]);
      shift.push_back((middle - options_.mean[c]) / options_.std[c]);
    }
    const auto per_channel = [&](const std::vector<double>& values) {
      return constant(at::tensor(values, at::kFloat).view({1, 3, 1, 1, 1}));
    };
    return add("Add", {add("Mul", {clips, per_channel(scale)}), per_channel(shift)});
  }

  std::string layout() const {
    if (!options_.layout.empty()) return options_.layout;
    const Ints& shape = input_.shape;
    expect(shape.size() == 4 || shape.size() == 5, "the shape says the layout, or the options do");
    if (shape.size() == 4) return shape[1] == 3 ? "nchw" : "nhwc";
    return shape[1] == 3 ? "ncthw" : shape[2] == 3 ? "ntchw" : "nthwc";
  }

  std::string as_wanted(std::string x) {
    const std::string order = layout();
    single_frames_ = order.size() == 4;
    interleaved_ = order.back() == 'c';
    if (order == "nchw" || order == "ntchw") x = transposed(x, {0, 2, 1, 3, 4});
    if (order == "nhwc" || order == "nthwc") x = transposed(x, {0, 2, 3, 4, 1});
    if (order == "nchw") x = reshaped(x, {-1, 3, side_, side_});
    if (order == "nhwc") x = reshaped(x, {-1, side_, side_, 3});
    const auto type = kOnnxTypes.find(input_.type);
    if (type != kOnnxTypes.end() && type->second != 1) x = add("Cast", {x}, {{"to", type->second}});
    return x;
  }

  // The node that stands for the network. What it reads and writes keeps the network's names.
  void put_in(const std::string& x) {
    add("Identity", {x}, {}, in_);
    add(kOnnxPart, {in_}, {}, out_);
  }

  // The output to `embedding`, [N, D].
  void pool() {
    std::string x = out_;
    if (output_.type != "f32") x = add("Cast", {x}, {{"to", int64_t{1}}});
    const auto rank = static_cast<int64_t>(output_.shape.size());
    const int64_t width = model_.features;
    if (rank == 3 && options_.pooling == "first") {
      x = add("Gather", {x, constant(at::scalar_tensor(0, at::kLong))}, {{"axis", int64_t{1}}});
    } else if (rank == 3) {
      x = pooled(transposed(x, {0, 2, 1}), options_.pooling);
    } else if (rank > 3) {
      if (interleaved_)  // so its maps are
        x = transposed(x, rank == 4 ? Ints{0, 3, 1, 2} : Ints{0, 4, 1, 2, 3});
      x = pooled(x, options_.pooling == "max" ? "max" : "mean");
    }
    if (!single_frames_ || frames_ == 1) {
      reshaped(x, {-1, width}, "embedding");
      return;
    }
    x = transposed(reshaped(x, {-1, frames_, width}), {0, 2, 1});
    reshaped(pooled(x, options_.pooling == "max" ? "max" : "mean"), {-1, width}, "embedding");
  }

  // Over all dimensions behind the second.
  std::string pooled(const std::string& x, const std::string& how) {
    return add(how == "max" ? "GlobalMaxPool" : "GlobalAveragePool", {x});
  }

  void add_head() {
    for (const auto& row : net_.named_parameters())
      model_.constants[row.key()] = row.value().detach().to(at::kCPU, at::kFloat);
    if (!model_.constants.contains("fc.hidden.weight")) {
      linear("embedding", "fc", "logits");
      return;
    }
    const std::string x = linear("embedding", "fc.hidden", "");
    const std::string erf = add("Erf", {add("Mul", {x, constant(std::sqrt(0.5))})});
    const std::string gate = add("Mul", {add("Add", {erf, constant(1)}), constant(0.5)});
    linear(add("Mul", {x, gate}), "fc.out", "logits");  // x (1 + erf(x / sqrt 2)) / 2
  }
  std::string linear(const std::string& x, const std::string& layer, const std::string& output) {
    return add("Gemm", {x, layer + ".weight", layer + ".bias"}, {{"transB", int64_t{1}}}, output);
  }

  Net& net_;
  const NetworkOptions& options_;
  int64_t frames_, side_;
  NetworkPort input_, output_;
  std::string in_, out_;  // their names in the part
  bool single_frames_ = false;
  bool interleaved_ = false;  // channels come last
  OnnxModel model_;
};

}  // namespace

OnnxModel graph_with_network(const SavedModel& saved, const Ints& clip, const std::string& out) {
  const std::string& file = saved.options.network()->file;
  const bool xml = is_xml(file);
  if (!xml && std::filesystem::path(file).extension() != ".onnx")
    fail("the network under the head, {}, is a program, and a graph that holds both is made of an "
         ".onnx or .xml file; write the network to .onnx with the program that made it, and train "
         "the head on that, or export as .safetensors",
         file);
  if (xml && !is_xml(out))
    fail("the network under the head, {}, is a file of OpenVINO, and only such a file can hold "
         "both; "
         "export to FILE.xml or .safetensors, or train the head on the .onnx that the network was "
         "made from",
         file);
  return GraphWithNetwork(saved, clip).made();
}

}  // namespace distal
