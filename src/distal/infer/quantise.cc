#include "distal/infer/quantise.h"

#include <set>

#include <ATen/ATen.h>
#include <ATen/cpu/Utils.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/infer/openvino.h"

namespace distal {
namespace {

constexpr int64_t kBatch = 4;
constexpr int64_t kBins = 16384;
constexpr int64_t kTrialClips = 32;

bool quantisable(const OnnxNode& node) { return node.type == "Conv" || node.type == "Gemm"; }

// A convolution of 16-bit sums of two products (AVX2 without VNNI) overflows with 8-bit weights.
int64_t bits_without_overflow() { return at::cpu::is_avx512_vnni_supported() ? 8 : 7; }

struct Seen {
  double least = 0;
  double most = 0;
  at::Tensor counts;  // float64 [kBins]
};

// What enters each layer, over all clips: first the extremes, then where the values lie between
// them.
std::map<std::string, Seen> ranges_of(const OnnxModel& model, const std::vector<std::string>& names,
                                      const at::Tensor& clips, int64_t threads,
                                      Progress& progress) {
  const auto probe = openvino_probe(model, names, threads);
  std::map<std::string, Seen> ranges;
  progress.begin("int8: measuring what enters each layer", 2 * clips.size(0), "clips");
  int64_t done = 0;
  const auto for_each_clip = [&](const auto& see) {
    for (const auto& clip : clips.split(1)) {
      probe(clip,
            [&](const std::string& name, const at::Tensor& tensor) { see(ranges[name], tensor); });
      progress.step(++done);
    }
  };
  for_each_clip([](Seen& range, const at::Tensor& tensor) {
    const auto [least, most] = at::aminmax(tensor);
    range.least = std::min(range.least, least.template item<double>());
    range.most = std::max(range.most, most.template item<double>());
  });
  for_each_clip([](Seen& range, const at::Tensor& tensor) {
    const auto counts =
        at::histc(tensor, kBins, range.least, std::max(range.most, range.least + 1e-12))
            .to(at::kDouble);
    range.counts = range.counts.defined() ? range.counts + counts : counts;
  });
  progress.end();
  return ranges;
}

at::Tensor centres(double least, double most, int64_t bins) {
  return (at::arange(bins, at::kDouble) + 0.5) * ((most - least) / static_cast<double>(bins)) +
         least;
}

at::Tensor on_grid(const at::Tensor& x, const Grid& grid) {
  return (x / grid.scale).round().clamp(grid.low, grid.high) * grid.scale;
}

// Squared error over power.
double noise(const at::Tensor& x, const at::Tensor& counts, const Grid& grid) {
  const double power = (x * x * counts).sum().item<double>();
  return power == 0 ? 0 : ((x - on_grid(x, grid)).square() * counts).sum().item<double>() / power;
}

at::Tensor weight_scales(const at::Tensor& weight, int64_t bits) {  // [out]
  return weight.flatten(1).abs().amax(1).clamp_min(1e-12) /
         static_cast<double>((int64_t{1} << (bits - 1)) - 1);
}

struct Layer {
  size_t node;
  Grid grid;
  double change = 0;  // where it alone is quantised
};

std::vector<Layer> layers_of(const OnnxModel& model, const at::Tensor& clips,
                             const QuantiseOptions& options, int64_t threads, Progress& progress) {
  std::set<std::string> names;
  for (const auto& node : model.nodes) {
    if (quantisable(node)) names.insert(node.inputs[0]);
  }
  const auto ranges = ranges_of(model, {names.begin(), names.end()}, clips, threads, progress);
  std::vector<Layer> layers;
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    if (!quantisable(model.nodes[i])) continue;
    const Seen& range = ranges.at(model.nodes[i].inputs[0]);
    layers.push_back({i, grid_for(range.least, range.most, range.counts, options)});
  }
  return layers;
}

class Writer {
 public:
  Writer(const OnnxModel& model, int64_t bits) : model_(model), bits_(bits) { out_.nodes.clear(); }

  OnnxModel write(const std::vector<Layer>& layers) {
    std::map<size_t, const Layer*> by_node;
    for (const auto& layer : layers) by_node[layer.node] = &layer;
    out_ = model_;
    out_.nodes.clear();
    for (size_t i = 0; i < model_.nodes.size(); ++i) {
      OnnxNode node = model_.nodes[i];
      if (const auto layer = by_node.find(i); layer != by_node.end()) {
        node.inputs[0] = entering(node.inputs[0], layer->second->grid);
        node.inputs[1] = weight(node.inputs[1]);
      }
      out_.nodes.push_back(node);
    }
    std::erase_if(out_.constants,
                  [&](const auto& constant) { return out_.readers(constant.first) == 0; });
    return std::move(out_);
  }

 private:
  std::string entering(const std::string& x, const Grid& grid) {
    const std::string rounded = x + "_int8";
    const std::string back = x + "_float";
    const std::string scale = x + "_scale";
    const std::string zero = x + "_zero";
    if (out_.constants.count(scale)) return back;  // another layer reads the same
    out_.constants[scale] = at::scalar_tensor(grid.scale, at::kFloat);
    out_.constants[zero] = at::scalar_tensor(0, grid.low == 0 ? at::kByte : at::kChar);
    out_.nodes.push_back({"QuantizeLinear", {x, scale, zero}, rounded, {}});
    out_.nodes.push_back({"DequantizeLinear", {rounded, scale, zero}, back, {}});
    return back;
  }
  std::string weight(const std::string& name) {
    const std::string rounded = name + "_int8";
    const std::string back = name + "_float";
    const std::string scale = name + "_scale";
    const std::string zero = name + "_zero";
    if (out_.constants.count(scale)) return back;
    const auto weight = model_.constants.at(name);
    const auto scales = weight_scales(weight, bits_);
    std::vector<int64_t> along(static_cast<size_t>(weight.dim()), 1);
    along[0] = -1;
    out_.constants[rounded] = (weight / scales.view(along)).round().to(at::kChar);
    out_.constants[scale] = scales;
    out_.constants[zero] = at::zeros_like(scales, at::kChar);
    out_.nodes.push_back(
        {"DequantizeLinear", {rounded, scale, zero}, back, {{"axis", int64_t{0}}}});
    return back;
  }

  const OnnxModel& model_;
  int64_t bits_;
  OnnxModel out_;
};

at::Tensor probabilities(const Task& task, const OnnxModel& model, const at::Tensor& clips,
                         int64_t threads) {
  OpenvinoOptions options;
  options.batch = kBatch;
  options.clips = clips.size(0);
  options.threads = threads;
  const auto engine = openvino_engine(model, options);
  std::vector<std::future<Output>> answers;
  for (const auto& part : clips.split(engine->batch())) answers.push_back(engine->submit(part));
  std::vector<at::Tensor> logits;
  for (auto& answer : answers) logits.push_back(answer.get().logits);
  return task.probabilities(at::cat(logits));
}

// How one choice of layers changes the answers.
class Trials {
 public:
  Trials(const Task& task, const OnnxModel& model, const at::Tensor& clips,
         const at::Tensor& labels, int64_t bits, int64_t threads)
      : task_(task),
        model_(model),
        clips_(clips),
        labels_(labels),
        bits_(bits),
        threads_(threads),
        expected_(probabilities(task, model, clips, threads)) {
    if (!expected_.isfinite().all().item<bool>())
      fail("int8: the logits of the model itself are not finite; train it again");
  }
  Quantised of(const std::vector<Layer>& layers, int64_t clips) const {
    Quantised result;
    result.model = Writer(model_, bits_).write(layers);
    const auto answered = probabilities(task_, result.model, clips_.narrow(0, 0, clips), threads_);
    const auto expected = expected_.narrow(0, 0, clips);
    result.change = ((answered - expected).abs().sum(1) / 2).mean().item<double>();
    result.flipped = (task_.predicted(answered) != task_.predicted(expected))
                         .to(at::kDouble)
                         .mean()
                         .item<double>();
    result.accuracy = accuracy(answered);
    result.float_accuracy = accuracy(expected);
    result.layers = std::ssize(layers);
    return result;
  }

 private:
  double accuracy(const at::Tensor& answered) const {
    if (!labels_.defined()) return std::numeric_limits<double>::quiet_NaN();
    const auto labels = labels_.narrow(0, 0, answered.size(0));
    const auto right = task_.predicted(answered) == labels;
    return right.sum().item<double>() / (labels >= 0).sum().item<double>();
  }

  const Task& task_;
  const OnnxModel& model_;
  at::Tensor clips_, labels_;
  int64_t bits_, threads_;
  at::Tensor expected_;
};

// Those first that change most when they alone are quantised.
void sort_by_change(std::vector<Layer>& layers, const Trials& trials, int64_t clips,
                    Progress& progress) {
  progress.begin("int8: trying each layer", std::ssize(layers), "layers");
  int64_t done = 0;
  for (auto& layer : layers) {
    layer.change = trials.of({layer}, clips).change;
    progress.step(++done);
  }
  progress.end();
  std::stable_sort(layers.begin(), layers.end(),
                   [](const Layer& a, const Layer& b) { return a.change > b.change; });
}

// Its weight's, without the ending.
std::string layer_name(const OnnxNode& node) {
  return node.inputs[1].substr(0, node.inputs[1].find(".weight"));
}

}  // namespace

void QuantiseOptions::visit(OptionVisitor& v) const {
  v("range", range,
    "of what enters a layer: the extremes, a percentile of the magnitudes, or the least squared "
    "error",
    one_of({"min_max", "percentile", "mse"}));
  v("percentile", percentile, "of the magnitudes, percent", between(50, 100));
  v("tolerance", tolerance,
    "layers are left in float until the class probabilities change by no more than this in the "
    "mean (0 to 1)",
    between(0, 1));
  v("accuracy_loss", accuracy_loss,
    "instead of tolerance: layers are left in float until no more accuracy than this is lost on "
    "the labelled clips (0 to 1); below 0: off",
    between(-1, 1));
  v("weight_bits", weight_bits, "of a weight, from 2 on; 0: 8, or 7 on a processor without VNNI",
    between(0, 8));
  if (weight_bits == 1)
    throw UsageError(fmt::format("{}: weight_bits 1 has no steps; give 2 to 8, or 0", v.place()));
}

Grid grid_for(double least, double most, const at::Tensor& counts, const QuantiseOptions& options) {
  const double half_bin = (most - least) / static_cast<double>(2 * counts.size(0));
  const auto magnitudes_of_bins = centres(least, most, counts.size(0)).abs() + half_bin;
  const bool positive = least >= 0;
  const double largest = std::max(std::abs(least), std::abs(most));
  const auto grid = [&](double limit) {
    Grid made = positive ? Grid{1, 0, 255} : Grid{1, -127, 127};
    made.scale = static_cast<float>(std::max(limit, 1e-12) / static_cast<double>(made.high));
    return made;
  };
  if (options.range == "min_max" || largest == 0) return grid(largest);
  if (options.range == "percentile") {
    const auto [magnitudes, order] = magnitudes_of_bins.sort();
    const auto share = counts.index_select(0, order).cumsum(0) / counts.sum();
    const auto beyond = (share >= options.percentile / 100).nonzero();
    return grid(beyond.size(0) == 0 ? largest : magnitudes[beyond[0][0]].item<double>());
  }
  Grid best = grid(largest);
  const auto values = centres(least, most, counts.size(0));
  double least_noise = noise(values, counts, best);
  for (int64_t percent = 99; percent >= 30; --percent) {
    const Grid other = grid(largest * static_cast<double>(percent) / 100);
    const double other_noise = noise(values, counts, other);
    if (other_noise < least_noise) {
      best = other;
      least_noise = other_noise;
    }
  }
  return best;
}

Quantised quantise(const OnnxModel& model, const at::Tensor& clips, const QuantiseOptions& options,
                   int64_t threads, Progress& progress, const at::Tensor& labels,
                   const Task& task) {
  if (clips.size(0) == 0) fail("int8: no clip to calibrate on; name some of the pool's");
  const bool by_accuracy = options.accuracy_loss >= 0;
  const bool labelled = labels.defined() && (labels >= 0).any().item<bool>();
  if (by_accuracy && !labelled)
    fail("int8.accuracy_loss: none of the clips has a label; give a list with a column label, or "
         "int8.tolerance instead");
  const auto meets = [&](const Quantised& result) {
    return by_accuracy ? result.float_accuracy - result.accuracy <= options.accuracy_loss + 1e-9
                       : result.change <= options.tolerance;
  };
  const int64_t bits = options.weight_bits > 0 ? options.weight_bits : bits_without_overflow();
  auto layers = layers_of(model, clips, options, threads, progress);
  const Trials trials(task, model, clips, labelled ? labels : at::Tensor(), bits, threads);
  Quantised best = trials.of(layers, clips.size(0));
  if (meets(best)) return best;
  sort_by_change(layers, trials, std::min(kTrialClips, clips.size(0)), progress);
  // layers left in float
  int64_t too_few = 0;
  int64_t enough = std::ssize(layers);
  while (enough - too_few > 1) {
    check_interrupted();
    const int64_t left = (too_few + enough) / 2;
    Quantised result = trials.of({layers.begin() + left, layers.end()}, clips.size(0));
    const bool met = meets(result);
    (met ? enough : too_few) = left;
    if (met) best = std::move(result);
  }
  if (enough == std::ssize(layers))
    fail(
        "int8: with any layer in eight bits {} by more than {}; give a larger {}, or stay with f32",
        by_accuracy ? "the accuracy falls" : "the class probabilities change",
        by_accuracy ? options.accuracy_loss : options.tolerance,
        by_accuracy ? "int8.accuracy_loss" : "int8.tolerance");
  for (int64_t i = 0; i < enough; ++i)
    best.left.push_back(layer_name(model.nodes[layers[static_cast<size_t>(i)].node]));
  return best;
}

}  // namespace distal
