#include "distal/networks/network.h"

#include <array>
#include <filesystem>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/base/text.h"
#include "distal/networks/class_names.h"
#include "distal/networks/format.h"
#include "distal/networks/input_form.h"
#include "distal/networks/preprocessor.h"

namespace distal {
namespace {

std::shared_ptr<const NetworkFormat> made_format(const Entry<NetworkFormat>& entry) {
  struct NoOptions final : OptionVisitor {
    void done() override {}
    void value(const char*, Field, const char*, Range, const OneOf&) override {}
    void section(const char*, const char*, const Section&) override {}
  } none;
  std::shared_ptr<const void> kept;
  return entry.make(none, kept);
}

const std::vector<std::shared_ptr<const NetworkFormat>>& network_formats() {
  static const auto all = [] {
    std::vector<std::shared_ptr<const NetworkFormat>> formats;
    for (const auto& row : catalogue<NetworkFormat>()) formats.push_back(made_format(*row.entry));
    return formats;
  }();
  return all;
}

std::string known_endings() {
  std::vector<std::string> endings;
  for (const auto& format : network_formats()) endings.push_back(format->ending());
  return fmt::format("{}", fmt::join(endings, ", "));
}

const NetworkFormat& require_format(const std::string& file, const std::string& place) {
  if (const auto* format = network_format(file)) return *format;
  throw UsageError(fmt::format("{}: '{}' has the ending of no network; the endings are {}", place,
                               excerpt(file), known_endings()));
}

/// [N, ...] to [N, D].
at::Tensor pooled_positions(const at::Tensor& raw, const std::string& pooling, bool channels_last,
                            const std::string& place) {
  if (raw.dim() == 2) return raw;
  if (raw.dim() < 2 || raw.dim() > 5)
    fail(
        "{}: the output has shape {} where [N, D], [N, tokens, D], [N, D, h, w] or [N, D, t, h, w] "
        "is needed; name another in output",
        place, shape_text(raw.sizes().vec()));
  const bool tokens = raw.dim() == 3;
  if (tokens && pooling == "first") return raw.select(1, 0);
  if (pooling == "first")
    fail("{}.pooling: the output has shape {}, with no first token; say mean or max", place,
         shape_text(raw.sizes().vec()));
  const at::Tensor positions = tokens          ? raw.transpose(1, 2)
                               : channels_last ? raw.flatten(1, -2).transpose(1, 2)
                                               : raw.flatten(2);
  return pooling == "max" ? positions.amax(2) : positions.mean(2);
}

class OpenedNetwork final : public ForeignNetwork {
 public:
  OpenedNetwork(const NetworkOptions& options, const std::string& place,
                const std::function<void(const std::string&)>& say)
      : OpenedNetwork(options, place, say, describe_network(options.file)) {}

  at::Tensor run(const at::Tensor& clips) override {
    form_.require(clips, place_);
    if (clips.size(0) == 0) return at::empty({0, width_});
    const at::Tensor pixels = clips.contiguous();
    const at::Tensor raw = network_->run(form_.items(pixels),
                                         [&](int64_t i, void* to) { form_.write(pixels, i, to); });
    at::Tensor rows = pooled_positions(raw, options_.pooling, form_.channels_last(), place_);
    if (rows.size(0) != pixels.size(0)) {
      rows = rows.view({pixels.size(0), -1, rows.size(1)});
      rows = options_.pooling == "max" ? rows.amax(1) : rows.mean(1);
    }
    return rows.contiguous();
  }
  int64_t width() const override { return width_; }
  int64_t size_px() const override { return form_.size_px(); }
  int64_t frames() const override { return form_.frames(); }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::string id() const override { return id_; }

 private:
  OpenedNetwork(const NetworkOptions& options, const std::string& place,
                const std::function<void(const std::string&)>& say,
                const NetworkDescription& description)
      : options_(options),
        place_(place),
        form_(options, picture_port(description.inputs, options.input, place), place),
        id_(network_id(options)) {
    const std::string warning = network_warning(options.file);
    if (say && !warning.empty()) say(warning);
    network_ = require_format(options.file, place)
                   .open({options_, form_, picture_port(description.inputs, options.input, place),
                          answer_port(description.outputs, options.output, place), place, say});
    width_ = run(at::zeros({1, 3, form_.frames(), form_.size_px(), form_.size_px()})).size(1);
    classes_ = description.classes;
    if (!classes_.empty() && std::ssize(classes_) != width_) {
      if (say)
        say(fmt::format("{}: {} names {} classes and gives {} numbers; its names are not used",
                        place, options.file, classes_.size(), width_));
      classes_.clear();
    }
  }

  NetworkOptions options_;
  std::string place_;
  InputForm form_;
  std::string id_;
  std::unique_ptr<ItemNetwork> network_;
  int64_t width_ = 0;
  std::vector<std::string> classes_;
};

std::string guessed_size(const NetworkPort& port, const std::string& layout,
                         std::vector<std::string>& guesses) {
  const size_t height = layout.find('h');
  const int64_t says = port.shape.empty() || height == std::string::npos ? -1 : port.shape[height];
  if (says > 0) return fmt::format(", size_px: {}", says);
  guesses.push_back("size_px: the file does not say its size; 224 is a guess");
  return ", size_px: 224";
}

std::string guessed_frames(const NetworkPort& port, const std::string& layout,
                           std::vector<std::string>& guesses) {
  const size_t time = layout.find('t');
  if (time == std::string::npos) return "";
  const int64_t says = port.shape.empty() ? -1 : port.shape[time];
  if (says > 0) return fmt::format(", frames: {}", says);
  guesses.push_back("frames: the file does not say how many; 16 is a guess");
  return ", frames: 16";
}

// A text in YAML's flow style.
std::string quoted_yaml(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
  }) && !std::isdigit(static_cast<unsigned char>(text[0]));
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

// Of a port that a recipe must name among several.
std::string named_port(const char* key, const std::vector<NetworkPort>& ports,
                       const NetworkPort& port) {
  return ports.size() < 2 ? "" : fmt::format(", {}: {}", key, quoted_yaml(port.name));
}

// The first port that can be pictures; else the first.
NetworkPort likely_input(const std::vector<NetworkPort>& inputs) {
  for (const auto& port : inputs) {
    if (!layout_of(port.shape).empty()) return port;
  }
  return inputs.empty() ? NetworkPort{} : inputs[0];
}

std::string normalisation(const std::string& file, std::vector<std::string>& guesses) {
  if (const auto says = preprocessor_beside(file))
    return fmt::format(", range: {}, mean: [{}], std: [{}]", says->range,
                       fmt::join(says->mean, ", "), fmt::join(says->std, ", "));
  guesses.emplace_back(
      "range, mean, std: no file says them; those of ImageNet in torchvision are a guess");
  return ", range: unit, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]";
}

void require_three(const std::vector<double>& values, const char* name, const std::string& place) {
  if (values.size() != 3)
    throw UsageError(fmt::format("{}.{}: {} numbers where three are needed, of red, green and blue",
                                 place, name, values.size()));
}

}  // namespace

void NetworkOptions::visit(OptionVisitor& v) const {
  v("file", file, "the network: .onnx, .xml (OpenVINO), .pt2 (AOTInductor) or .pt (TorchScript)");
  v("size_px", size_px, "width and height of its input; 0: as the file says", between(0, 4096));
  v("frames", frames, "frames of a call; 1: single frames; 0: as the file says", between(0, 4096));
  v("mean", mean, "subtracted from red, green and blue, after `range`");
  v("std", std, "divides red, green and blue, after `mean`");
  v("range", range, "of pixels before `mean`: unit [0, 1], byte [0, 255], signed [-1, 1]",
    one_of({"unit", "byte", "signed"}));
  v("channels", channels, "their order in the input", one_of({"rgb", "bgr"}));
  v("layout", layout,
    "order of the dimensions of the input: nchw, nhwc, ncthw, nthwc or ntchw; empty: as its shape "
    "says",
    one_of({"", "nchw", "nhwc", "ncthw", "nthwc", "ntchw"}));
  v("input", input, "name of the input; empty: the only one that takes pictures");
  v("output", output, "name of the output, or its position; empty: the only one");
  v("pooling", pooling,
    "over frames of a clip, and tokens or positions of the output: mean, max, or first (the class "
    "token, and the mean over frames)",
    one_of({"mean", "max", "first"}));
  v("precision", precision, "of .onnx and .xml: f32, or bf16 where the processor has it",
    one_of({"f32", "bf16"}));
  v("timeout_s", timeout_s, "how long a call of a .pt2 or .pt may take, in seconds",
    at_least(0.001));
}

const NetworkFormat* network_format(const std::string& file) {
  const std::string ending = std::filesystem::path(file).extension().string();
  for (const auto& format : network_formats()) {
    if (format->ending() == ending) return format.get();
  }
  return nullptr;
}

NetworkDescription describe_network(const std::string& file) {
  const NetworkFormat& format = require_format(file, "network");
  NetworkDescription description = format.describe(file);
  description.executes_code = format.executes_code();
  description.classes = class_names_of(description.metadata);
  if (description.classes.empty()) description.classes = class_names_beside(file);
  return description;
}

std::string network_section(const std::string& file, const NetworkDescription& description,
                            std::vector<std::string>* guesses) {
  std::vector<std::string> said;
  const NetworkPort port = likely_input(description.inputs);
  std::string layout = layout_of(port.shape);
  if (layout.empty()) {
    layout = port.shape.size() == 5 ? "ncthw" : "nchw";
    said.push_back("layout: the file does not say where its channels are; " + layout +
                   " is a guess");
  }
  std::string section = "network: {file: " + quoted_yaml(file);
  section += named_port("input", description.inputs, port);
  if (description.outputs.size() > 1) {
    section += named_port("output", description.outputs, description.outputs[0]);
    said.push_back("output: the file gives several; the first is a guess");
  }
  section += ", layout: " + layout;
  section += guessed_size(port, layout, said);
  section += guessed_frames(port, layout, said);
  if (port.type != "u8") section += normalisation(file, said);
  if (guesses) *guesses = said;
  return section + "}";
}

bool network_executes_code(const std::string& file) {
  const auto* format = network_format(file);
  return format && format->executes_code();
}

std::string network_warning(const std::string& file) {
  const auto* format = network_format(file);
  if (!format || !format->executes_code()) return "";
  return fmt::format("{} is {}: a program, which is executed with your rights (in a process of its "
                     "own); use files "
                     "you trust, or --untrusted to refuse them",
                     file, format->title());
}

void check_network(const NetworkOptions& options, const std::string& place) {
  if (options.file.empty())
    throw UsageError(
        fmt::format("{0}.file: no file; name one, such as {0}: {{file: dino.onnx}}", place));
  require_format(options.file, place + ".file");
  require_three(options.mean, "mean", place);
  require_three(options.std, "std", place);
  for (const double std : options.std) {
    if (!(std > 0))
      throw UsageError(fmt::format("{}.std: {:g}, where numbers above 0 are needed", place, std));
  }
  if (options.precision == "bf16" && network_executes_code(options.file))
    throw UsageError(fmt::format(
        "{}.precision: bf16 is for .onnx and .xml; a program computes as it was written", place));
}

std::string network_id(const NetworkOptions& options) {
  uint64_t hash = fnv1a("network");
  for (const auto& file : require_format(options.file, "network").content(options.file)) {
    const MappedFile mapped(file);
    hash = fnv1a({mapped.data(), mapped.size()}, mix64(hash));
  }
  NetworkOptions described = options;
  described.file.clear();
  described.timeout_s = NetworkOptions().timeout_s;
  return fmt::format("{:016x}", fnv1a(resolved(described), mix64(hash)));
}

std::unique_ptr<ForeignNetwork> open_network(const NetworkOptions& options,
                                             const std::string& place,
                                             const std::function<void(const std::string&)>& say) {
  check_network(options, place);
  return std::make_unique<OpenedNetwork>(options, place, say);
}

}  // namespace distal
