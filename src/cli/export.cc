#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/npy.h"
#include "cli/command.h"
#include "cli/model_file.h"
#include "data/batches.h"
#include "infer/freeze.h"
#include "infer/openvino.h"
#include "infer/quantise.h"
#include "models/weights.h"

namespace distal {
namespace {

struct ExportArguments {
  std::string model, out, format, list, sample;
  std::vector<std::string> videos, sets;
  int64_t clips = 128, threads = 0;
  bool int8 = false, json = false, quiet = false;
};

struct ExportRecipe {
  QuantiseOptions int8;
  void visit(OptionVisitor& v) { v("int8", int8, "how it is quantised"); }
};

std::string format_of(const ExportArguments& arguments) {
  const std::string extension = std::filesystem::path(arguments.out).extension().string();
  static const std::map<std::string, std::string> kFormats = {{".onnx", "onnx"}, {".xml", "openvino"}, {".safetensors", "safetensors"}};
  const auto meant = kFormats.find(extension);
  if (meant == kFormats.end()) throw UsageError(fmt::format("--out {}: ends in .onnx, .xml (openvino) or .safetensors", arguments.out));
  if (!arguments.format.empty() && arguments.format != meant->second)
    throw UsageError(fmt::format("--out {} is a name for {}, and --format says {}", arguments.out, meant->second, arguments.format));
  return meant->second;
}

// Centre frames of at most `arguments.clips` videos, [M, 3, T, H, W].
at::Tensor calibration_clips(const ExportArguments& arguments, const InputOptions& input) {
  Progress progress(arguments.quiet ? Progress::Mode::quiet : Progress::Mode::automatic);
  ClipReader reader(input, {});
  auto clips = clips_of(arguments.list, arguments.videos, reader, progress);
  // Spread over the list, which often stands in the order of its classes.
  const auto count = static_cast<size_t>(arguments.clips);
  if (clips.size() > count) {
    std::vector<Clip> some;
    for (size_t i = 0; i < count; ++i) some.push_back(clips[i * clips.size() / count]);
    clips = std::move(some);
  }
  std::vector<at::Tensor> parts;
  EvaluationBatches batches(reader, clips, 1, 8, /*threads=*/1);
  progress.begin("reading clips", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    parts.push_back(batch->clips);
    progress.step(batch->rows[-1].item<int64_t>() + 1);
  }
  progress.end();
  if (parts.empty()) fail("--int8: none of the videos to calibrate on can be read");
  return at::cat(parts);
}

void write(const OnnxModel& model, const std::string& format, const std::string& out) {
  if (format == "onnx") return write_atomically(out, model.serialised());
  // Two files: both are whole before either has its name, the description last.
  const std::filesystem::path path(out), unfinished = path.parent_path() / (path.stem().string() + ".unfinished.xml");
  const auto weights = [](std::filesystem::path file) { return file.replace_extension(".bin"); };
  save_openvino(model, unfinished.string());
  std::filesystem::rename(weights(unfinished), weights(path));
  std::filesystem::rename(unfinished, path);
}

void export_model(const ExportArguments& arguments) {
  const std::string format = format_of(arguments);
  if (!arguments.int8 && !(arguments.list.empty() && arguments.videos.empty())) throw UsageError("videos are what --int8 is calibrated on; without it none is read");
  if (arguments.int8 && format == "safetensors") throw UsageError("--int8 wants --out FILE.onnx or FILE.xml; safetensors keeps the float weights");
  if (arguments.int8 && arguments.list.empty() == arguments.videos.empty()) throw UsageError("--int8 wants videos of the pool to calibrate on, or --list LIST, and not both");
  std::vector<Override> overrides;
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  ExportRecipe recipe;
  Document::text("{}", "--set").with(overrides).read(recipe);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  const SavedModel saved = load_model(arguments.model);
  if (format == "safetensors") {
    save_model(arguments.out, *saved.net, saved.side_json);
    fmt::print("{}\n", arguments.out);
    return;
  }
  const torch::NoGradGuard no_grad;
  InputOptions input;
  read_options(input, saved.input_yaml, arguments.model);
  const at::Tensor clips = arguments.int8 ? calibration_clips(arguments, input)
                                          : at::randn({4, 3, input.sampling.frames, input.size_px, input.size_px});
  OnnxModel model = freeze(*saved.net, clips.sizes().slice(1).vec());
  model.metadata["distal"] = saved.side_json;
  nlohmann::ordered_json report = {{"path", arguments.out}, {"clip", model.clip}};
  std::string text = fmt::format("{}: clips float32 [N, {}] in [-1, 1]\n", arguments.out, fmt::join(model.clip, ", "));
  if (arguments.int8) {
    Quantised int8 = quantise(model, clips, recipe.int8);
    model = std::move(int8.model);
    model.metadata["distal"] = saved.side_json;
    text += fmt::format("int8: {} layers, {} left in float{}{}; on {} clips the probabilities change by {:.4f} in the mean and {:.1f} % of the classes\n", int8.layers,
                        int8.left.size(), int8.left.empty() ? "" : ": ", fmt::join(int8.left, " "), clips.size(0), int8.change, 100 * int8.flipped);
    report.update({{"int8_layers", int8.layers}, {"left_in_float", int8.left}, {"change", int8.change}, {"flipped", int8.flipped}, {"calibration_clips", clips.size(0)}});
  }
  write(model, format, arguments.out);
  write_atomically(arguments.out + ".json", saved.side_json);
  const auto some = clips.narrow(0, 0, std::min<int64_t>(4, clips.size(0)));
  const Output ours = saved.net->forward(some);
  if (!arguments.sample.empty()) {
    write_npy(arguments.sample + "_clips.npy", some.contiguous());
    write_npy(arguments.sample + "_logits.npy", ours.logits);
  }
  if (openvino_present()) {
    const Output theirs = openvino_file_engine(arguments.out, {})->run(some);
    const double error = ((theirs.logits - ours.logits).norm() / ours.logits.norm()).item<double>();
    text += fmt::format("read back by OpenVINO: relative error of the logits {:.1e} on {} {}\n", error, some.size(0), arguments.int8 ? "of those clips" : "random clips");
    report["openvino_error"] = error;
  }
  fmt::print("{}", arguments.json ? report.dump() + "\n" : text);
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand("export", "a trained model as a file for other programs: ONNX, OpenVINO or safetensors, perhaps in eight bits");
  const auto arguments = std::make_shared<ExportArguments>();
  command->add_option("model", arguments->model, "a .safetensors that run or train wrote")->required();
  command->add_option("videos", arguments->videos, "with --int8: videos of the pool; how large values grow is measured on them");
  command->add_option("--out", arguments->out, "FILE.onnx (opset 17), FILE.xml (OpenVINO, with FILE.bin) or FILE.safetensors")->required();
  command->add_option("--format", arguments->format, "onnx, openvino or safetensors [by the name of --out]")->check(CLI::IsMember({"onnx", "openvino", "safetensors"}));
  command->add_flag("--int8", arguments->int8, "layers on whole numbers of eight bits, but for those that would change the answers by more than int8.tolerance");
  command->add_option("--list", arguments->list, "CSV with a column path instead of videos, relative to its folder");
  command->add_option("--clips", arguments->clips, "with --int8: at most so many are read")->capture_default_str()->check(CLI::Range(1, 10000));
  command->add_option("--set", arguments->sets, "key=value, e.g. int8.range=mse; may be repeated")->take_all()->delimiter('\0');
  command->add_option("--sample", arguments->sample, "also writes PREFIX_clips.npy and PREFIX_logits.npy: up to four clips and this program's float answers, to check other runtimes by");
  command->add_option("--threads", arguments->threads, "[all]")->check(CLI::Range(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag("--json", arguments->json, "the report as JSON");
  ExportRecipe defaults;
  command->footer("Options, with --set:\n" + help_text([&](OptionVisitor& v) { defaults.visit(v); }));
  command->callback([arguments] { export_model(*arguments); });
}

}  // namespace distal
