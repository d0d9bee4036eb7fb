#include "distal/deploy/frame_input.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/data/clip_reader.h"
#include "distal/deploy/model_file.h"

namespace distal {
namespace {

// TensorProto.DataType
constexpr int64_t kFloatType = 1;

using Attributes = std::map<std::string, OnnxAttribute>;

at::Tensor whole_number(int64_t number) { return at::scalar_tensor(number, at::kLong); }
at::Tensor real_number(double number) { return at::scalar_tensor(number, at::kFloat); }
at::Tensor whole_numbers(std::vector<int64_t> numbers) { return at::tensor(numbers, at::kLong); }

// Bilinear with pixel centres at half pixels, as the rows of a matrix [out, in].
at::Tensor bilinear(int64_t in, int64_t out) {
  at::Tensor matrix = at::zeros({out, in});
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  for (int64_t i = 0; i < out; ++i) {
    const double at =
        std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    const auto low = static_cast<int64_t>(at);
    const auto weight = static_cast<float>(at - static_cast<double>(low));
    matrix[i][low] += 1 - weight;
    matrix[i][std::min(low + 1, in - 1)] += weight;
  }
  return matrix;
}

class Preprocessing {
 public:
  Preprocessing(OnnxModel& model, const InputOptions& input)
      : model_(model), side_(input.cached_short_side_px()), size_(input.size_px) {}

  std::vector<OnnxNode> nodes() {
    const std::string shape = emit("shape", "Shape", {"frames"});
    const std::string height =
        emit("height", "Gather", {shape, constant("axis_2", whole_number(2))});
    const std::string width = emit("width", "Gather", {shape, constant("axis_3", whole_number(3))});
    short_ = emit("short_side", "Where", {emit("upright", "Less", {height, width}), height, width});
    const Axis rows = axis("rows", height);
    const Axis columns = axis("columns", width);
    const std::string both = emit("below_half", "And", {rows.below_half, columns.below_half});
    const std::string planes =
        emit("planes", "Transpose", {"frames"}, {{"perm", std::vector<int64_t>{0, 1, 4, 2, 3}}});
    std::string x = emit("pixels", "Cast", {planes}, {{"to", kFloatType}});
    x = emit("scaled_columns", "MatMul",
             {x, emit("columns/transposed", "Transpose", {matrix("columns", columns, both)},
                      {{"perm", std::vector<int64_t>{1, 0}}})});
    x = emit("scaled", "MatMul", {matrix("rows", rows, both), x});
    x = emit("bytes", "Clip",
             {emit("rounded", "Round", {x}), constant("0", real_number(0)),
              constant("255", real_number(255))});
    finish(x);
    return std::move(nodes_);
  }

 private:
  struct Axis {
    std::string distance;    // float32 [S, size]: of source pixels from the centre of each
    std::string ratio;       // source pixels for each
    std::string below_half;  // whether it shrinks so
    std::string ones;        // float32 [size]
  };

  std::string constant(const std::string& name, const at::Tensor& value) {
    const std::string full = "preprocess/constants/" + name;
    model_.constants[full] = value;
    return full;
  }
  std::string emit(const std::string& name, const std::string& type,
                   std::vector<std::string> inputs, Attributes attributes = {}) {
    const std::string output = "preprocess/" + name;
    nodes_.push_back({type, std::move(inputs), output, std::move(attributes)});
    return output;
  }
  std::string as_real(const std::string& name, const std::string& x) {
    return emit(name, "Cast", {x}, {{"to", kFloatType}});
  }

  // Which source pixels the S pixels of the crop come from, along one side.
  Axis axis(const std::string& name, const std::string& size) {
    const auto part = [&](const char* word) { return name + "/" + word; };
    const std::string half = emit(part("half"), "Div", {short_, constant("2", whole_number(2))});
    const std::string times =
        emit(part("times"), "Mul", {size, constant("side", whole_number(side_))});
    const std::string sum = emit(part("sum"), "Add", {times, half});
    const std::string scaled = emit(part("scaled"), "Div", {sum, short_});
    const std::string beyond =
        emit(part("beyond"), "Sub", {scaled, constant("side", whole_number(side_))});
    const std::string offset =
        emit(part("offset"), "Div", {beyond, constant("2", whole_number(2))});
    const std::string ratio = emit(
        part("ratio"), "Div", {as_real(part("size"), size), as_real(part("scaled_size"), scaled)});
    const at::Tensor indices = at::arange(side_, at::kLong).unsqueeze(1);
    const std::string index = emit(part("index"), "Add", {constant("indices", indices), offset});
    const std::string middle =
        emit(part("middle"), "Add",
             {as_real(part("index_real"), index), constant("half", real_number(0.5))});
    const std::string scaled_middle = emit(part("scaled_middle"), "Mul", {middle, ratio});
    const std::string centre =
        emit(part("centre"), "Sub", {scaled_middle, constant("half", real_number(0.5))});
    const std::string positions =
        emit(part("positions"), "Range",
             {constant("zero", whole_number(0)), size, constant("one", whole_number(1))});
    const std::string place = as_real(part("positions_real"), positions);
    const std::string from = emit(part("from"), "Sub", {place, centre});
    const std::string none = emit(part("none"), "Mul", {place, constant("0", real_number(0))});
    const std::string ones = emit(part("ones"), "Add", {none, constant("1", real_number(1))});
    const std::string twice = emit(part("twice"), "Mul", {scaled, constant("2", whole_number(2))});
    return {emit(part("distance"), "Abs", {from}), ratio,
            emit(part("below_half"), "Less", {twice, size}), ones};
  }

  // float32 [S, size], rows sum to 1: 1 - d / max(r, 1), or with area the share of a pixel that
  // lies within r / 2 of the centre.
  std::string matrix(const std::string& name, const Axis& axis, const std::string& area) {
    const auto part = [&](const char* word) { return name + "/" + word; };
    const std::string one = constant("1", real_number(1));
    const std::string none = constant("0", real_number(0));
    const std::string width = emit(part("support"), "Max", {axis.ratio, one});
    const std::string near = emit(part("near"), "Div", {axis.distance, width});
    const std::string fall = emit(part("fall"), "Sub", {one, near});
    const std::string triangle = emit(part("triangle"), "Relu", {fall});
    const std::string edge = emit(part("edge"), "Add", {axis.ratio, one});
    const std::string reach =
        emit(part("reach"), "Mul", {edge, constant("half", real_number(0.5))});
    const std::string left = emit(part("left"), "Sub", {reach, axis.distance});
    const std::string box = emit(part("box"), "Clip", {left, none, one});
    const std::string weights = emit(part("weights"), "Where", {area, box, triangle});
    const std::string sums = emit(part("sums"), "MatMul", {weights, axis.ones});
    const std::string sum =
        emit(part("sum_column"), "Reshape", {sums, constant("column", whole_numbers({side_, 1}))});
    return emit(part("matrix"), "Div", {weights, sum});
  }

  // From whole pixels [N, T, 3, S, S] to `clips`.
  void finish(std::string x) {
    if (side_ != size_) {
      const at::Tensor matrix = bilinear(side_, size_);
      x = emit("resized_columns", "MatMul", {x, constant("columns", matrix.t().contiguous())});
      x = emit("resized", "MatMul", {constant("rows", matrix), x});
    }
    x = emit("unit", "Mul", {x, constant("scale", real_number(1 / 127.5))});
    x = emit("signed", "Sub", {x, constant("1", real_number(1))});
    x = emit("channels_first", "Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}});
    std::vector<int64_t> sizes = model_.clip;
    sizes.insert(sizes.begin(), -1);
    nodes_.push_back(
        {"Reshape", {x, constant("clip", whole_numbers(sizes))}, "clips", {}, "preprocess/clips"});
  }

  OnnxModel& model_;
  int64_t side_;
  int64_t size_;
  std::string short_;
  std::vector<OnnxNode> nodes_;
};

}  // namespace

void take_frames(OnnxModel& model, const InputOptions& input) {
  expect(!model.takes_frames && model.clip == clip_sizes(input),
         "a model takes clips of its input");
  std::vector<OnnxNode> nodes = Preprocessing(model, input).nodes();
  nodes.insert(nodes.end(), model.nodes.begin(), model.nodes.end());
  nodes.push_back({"Softmax", {"logits"}, "probabilities", {{"axis", int64_t{1}}}, "Softmax"});
  model.nodes = std::move(nodes);
  model.takes_frames = true;
}

}  // namespace distal
