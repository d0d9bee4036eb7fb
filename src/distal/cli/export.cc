#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/leftovers.h"
#include "distal/base/npy.h"
#include "distal/cli/command.h"
#include "distal/data/batches.h"
#include "distal/deploy/model_file.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/infer/quantise.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr double kFloatError = 1e-3;  // relative, of the logits: more than this in float is a fault, not rounding

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
  static const std::map<std::string, std::string> kFormats = {{".onnx", "onnx"}, {".xml", "openvino"}, {".safetensors", "safetensors"}};
  const auto meant = kFormats.find(fs::path(arguments.out).extension().string());
  if (meant == kFormats.end()) throw UsageError(fmt::format("--out {}: ends in .onnx, .xml (openvino) or .safetensors", arguments.out));
  if (!arguments.format.empty() && arguments.format != meant->second)
    throw UsageError(fmt::format("--out {} is a name for {}, and --format says {}", arguments.out, meant->second, arguments.format));
  return meant->second;
}

void refuse_what_has_no_effect(const ExportArguments& arguments, const std::string& format) {
  const bool videos = !arguments.list.empty() || !arguments.videos.empty();
  if (arguments.int8 && format == "safetensors") throw UsageError("--int8 wants --out FILE.onnx or FILE.xml; safetensors keeps the float weights");
  if (arguments.int8 && arguments.list.empty() == arguments.videos.empty())
    throw UsageError("--int8 wants videos of the pool to calibrate on, or --list LIST, and not both");
  if (!arguments.int8 && videos) throw UsageError("videos are what --int8 is calibrated on; without it none is read");
  if (!arguments.int8 && !arguments.sets.empty()) throw UsageError("--set is for --int8");
  if (format == "safetensors" && !arguments.sample.empty()) throw UsageError("--sample is for .onnx and .xml");
}

// Every file that is written.
std::vector<std::string> written(const ExportArguments& arguments) {
  const fs::path out = arguments.out;
  std::vector<std::string> paths = {out.string()};
  if (out.extension() == ".safetensors") paths.push_back(fs::path(out).replace_extension(".json").string());
  else paths.push_back(out.string() + ".json");
  if (out.extension() == ".xml") paths.push_back(fs::path(out).replace_extension(".bin").string());
  if (!arguments.sample.empty())
    for (const char* ending : {"_clips.npy", "_logits.npy"}) paths.push_back(arguments.sample + ending);
  return paths;
}

struct Calibration {
  at::Tensor clips;   // [M, 3, T, H, W], centre frames
  at::Tensor labels;  // int64 [M], -1 where they are not wanted
  int64_t unreadable = 0;
  std::string first_reason;
};

// `classes`: of the labels, where they are wanted.
Calibration read_clips(const ExportArguments& arguments, const InputOptions& input, const Classes& classes, Progress& progress) {
  ClipReader reader(input, {});
  ClipList list = clips_of(arguments.list, arguments.videos, reader, progress, classes);
  auto& clips = list.clips;
  const auto count = static_cast<size_t>(arguments.clips);
  if (clips.size() > count) {  // spread over the list, which often stands in the order of its classes
    std::vector<Clip> some;
    for (size_t i = 0; i < count; ++i) some.push_back(clips[i * clips.size() / count]);
    clips = std::move(some);
  }
  std::vector<at::Tensor> parts;
  std::vector<int64_t> labels;
  EvaluationBatches batches(reader, clips, 1, 8, /*threads=*/1);
  progress.begin("reading clips", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    parts.push_back(batch->clips);
    for (int64_t i = 0; i < batch->rows.size(0); ++i) labels.push_back(clips[batch->rows[i].item<int64_t>()].label);
    progress.step(batch->rows[-1].item<int64_t>() + 1);
  }
  progress.end();
  Calibration read;
  for (const auto& bad : {list.quarantined, reader.quarantined()}) {
    read.unreadable += std::ssize(bad);
    if (read.first_reason.empty() && !bad.empty()) read.first_reason = bad[0].reason;
  }
  if (clips.empty() && list.unlabelled_segments > 0) fail("{}: every row is unlabelled, and int8.accuracy_loss wants labels; give another list, or int8.tolerance", arguments.list);
  if (parts.empty()) fail("--int8: none of the videos to calibrate on can be read: {}", read.first_reason);
  read.clips = at::cat(parts);
  read.labels = torch::tensor(labels, torch::kInt64);
  return read;
}

// Under a name that says so, and gone unless it was published.
class Unfinished {
 public:
  explicit Unfinished(const std::string& out)
      : out_(out), files_((out_.parent_path() / out_.stem()).string(), out_.extension() == ".xml" ? std::vector<std::string>{".xml", ".bin"} : std::vector{out_.extension().string()}) {}
  const std::string& path() const { return files_.name(); }
  void write(const OnnxModel& model) {
    if (out_.extension() == ".onnx") files_.write(model.serialised());
    else save_openvino(model, path());
  }
  // Never parts of the old model beside parts of the new one: whoever is killed here leaves parts that nothing reads.
  void publish(const std::string& description) {
    const std::string beside = out_.string() + ".json";
    fs::remove(beside);
    if (out_.extension() == ".xml") {
      fs::remove(out_);
      files_.publish(fs::path(out_).replace_extension(".bin").string(), 1);
    }
    files_.publish(out_.string());
    write_atomically(beside, description);
  }

 private:
  fs::path out_;
  UnfinishedFile files_;
};

struct ExportReport {
  nlohmann::ordered_json json;
  std::string text;
};

OnnxModel quantised(const OnnxModel& model, const Calibration& calibration, const QuantiseOptions& options, int64_t threads, Progress& progress,
                    ExportReport& report) {
  Quantised int8 = quantise(model, calibration.clips, options, threads, progress, calibration.labels);
  int8.model.metadata = model.metadata;
  report.text += fmt::format("int8: {} layers, {} left in float{}{}\n", int8.layers, int8.left.size(), int8.left.empty() ? "" : ": ", fmt::join(int8.left, " "));
  report.text += fmt::format("on {} clips the probabilities change by {:.4f} in the mean, and the class of {:.1f} %\n", calibration.clips.size(0), int8.change,
                             100 * int8.flipped);
  if (!std::isnan(int8.accuracy)) {
    report.text += fmt::format("accuracy {:.4f} in float, {:.4f} in int8\n", int8.float_accuracy, int8.accuracy);
    report.json.update({{"float_accuracy", int8.float_accuracy}, {"int8_accuracy", int8.accuracy}});
  }
  if (calibration.unreadable > 0)
    report.text += fmt::format("not calibrated on {} videos that cannot be read, the first: {}\n", calibration.unreadable, calibration.first_reason);
  report.json.update({{"int8_layers", int8.layers}, {"left_in_float", int8.left}, {"change", int8.change}, {"flipped", int8.flipped},
                      {"calibration_clips", calibration.clips.size(0)}, {"unreadable", calibration.unreadable}});
  return std::move(int8.model);
}

// What was written is read back and compared before it takes its name.
void check(const Unfinished& file, const at::Tensor& clips, const Output& ours, const ExportArguments& arguments, ExportReport& report) {
  if (!openvino_present()) return;
  const Output theirs = openvino_file_engine(file.path(), {})->run(clips);
  const double error = ((theirs.logits - ours.logits).norm() / ours.logits.norm()).item<double>();
  if (!(error < (arguments.int8 ? 1 : kFloatError)))
    fail("{}: read back by OpenVINO its logits differ by {:.1e} of their size: not written; export it as safetensors", arguments.out, error);
  report.text += fmt::format("read back by OpenVINO: relative error of the logits {:.1e} on {} {}\n", error, clips.size(0),
                             arguments.int8 ? "of those clips" : "random clips");
  report.json["openvino_error"] = error;
}

void export_model(const ExportArguments& arguments) {
  const std::string format = format_of(arguments);
  refuse_what_has_no_effect(arguments, format);
  std::vector<Override> overrides;
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  ExportRecipe recipe;
  Document::text("{}", "--set").with(overrides).read(recipe);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  const auto folder = fs::path(arguments.out).parent_path();
  if (!folder.empty() && !fs::is_directory(folder)) fail("--out {}: there is no folder {}; make it first", arguments.out, folder.string());
  const auto samples = fs::path(arguments.sample).parent_path();
  if (!samples.empty() && !fs::is_directory(samples)) fail("--sample {}: there is no folder {}; make it first", arguments.sample, samples.string());
  for (const std::string& path : written(arguments)) require_place_for(path);
  clear_leftovers_of((folder / fs::path(arguments.out).stem()).string());
  const SavedModel saved = load_model(arguments.model);
  ExportReport report{{{"path", arguments.out}}, arguments.out + "\n"};
  if (format == "safetensors") {
    save_model(arguments.out, *saved.net, saved.side_json);
  } else {
    const torch::NoGradGuard no_grad;
    Progress progress(arguments.quiet ? Progress::Mode::quiet : Progress::Mode::automatic);
    InputOptions input;
    read_described(input, saved.input_yaml, arguments.model + " (input)");
    const std::vector<int64_t> clip = {3, input.sampling.frames, input.size_px, input.size_px};
    OnnxModel model = freeze(*saved.net, clip);
    model.metadata["distal"] = saved.side_json;
    report.json["clip"] = clip;
    report.text = fmt::format("{}: clips float32 [N, {}] in [-1, 1]\n", arguments.out, fmt::join(clip, ", "));
    at::Tensor clips = at::randn({4, clip[0], clip[1], clip[2], clip[3]}, at::make_generator<at::CPUGeneratorImpl>(1));
    if (arguments.int8) {
      const bool labelled = recipe.int8.accuracy_loss >= 0;
      if (labelled && arguments.list.empty()) throw UsageError("int8.accuracy_loss wants --list LIST with a column label");
      const Calibration calibration = read_clips(arguments, input, labelled ? Classes{saved.classes} : Classes{}, progress);
      model = quantised(model, calibration, recipe.int8, arguments.threads, progress, report);
      clips = calibration.clips.slice(0, 0, 4).contiguous();
    }
    const Output ours = saved.net->forward(clips);
    Unfinished file(arguments.out);
    file.write(model);
    check(file, clips, ours, arguments, report);
    file.publish(saved.side_json);
    if (!arguments.sample.empty()) {
      write_npy(arguments.sample + "_clips.npy", clips);
      write_npy(arguments.sample + "_logits.npy", ours.logits);
    }
  }
  fmt::print("{}", arguments.json ? json_text(report.json) + "\n" : report.text);
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
  command->add_option("--clips", arguments->clips, "with --int8: at most so many are read")->capture_default_str()->transform(number_from(1, 10000));
  command->add_option("--set", arguments->sets, "key=value, e.g. int8.range=mse; may be repeated")->take_all()->delimiter('\0');
  command->add_option("--sample", arguments->sample, "also writes PREFIX_clips.npy and PREFIX_logits.npy: four clips and this program's float answers, to check other runtimes by");
  command->add_option("--threads", arguments->threads, "[all]")->transform(number_from(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag_function("--untrusted", [](int64_t) {}, "refuse what executes code; no model file that is read here does");
  command->add_flag("--json", arguments->json, "the report as JSON");
  ExportRecipe defaults;
  command->footer("Options, with --set:\n" + help_text([&](OptionVisitor& v) { defaults.visit(v); }));
  command->callback([arguments] { export_model(*arguments); });
}

}  // namespace distal
