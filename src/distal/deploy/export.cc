#include "distal/deploy/export.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/leftovers.h"
#include "distal/base/npy.h"
#include "distal/base/progress.h"
#include "distal/data/batches.h"
#include "distal/deploy/model_file.h"
#include "distal/infer/freeze.h"
#include "distal/models/model.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kComparedClips = 4;
// Relative, of the logits. Int8Report::change bounds eight bits more closely.
constexpr double kInt8Error = 1;

struct NpyFiles {
  explicit NpyFiles(const std::string& prefix)
      : clips(prefix + "_clips.npy"), logits(prefix + "_logits.npy") {}
  std::string clips;
  std::string logits;
};

std::string with_ending(const std::string& path, const std::string& ending) {
  return fs::path(path).replace_extension(ending).string();
}

// Without its ending.
std::string stem_path(const std::string& path) {
  return (fs::path(path).parent_path() / fs::path(path).stem()).string();
}

// Every file that is written.
std::vector<std::string> written_files(const ExportOptions& options, const ExportTarget& target) {
  std::vector<std::string> paths = {options.out, target.description_of(options.out)};
  const std::vector<std::string> endings = target.endings();
  for (size_t i = 1; i < endings.size(); ++i) {
    paths.push_back(with_ending(options.out, endings[i]));
  }
  if (!options.sample.empty()) {
    const NpyFiles sample(options.sample);
    paths.push_back(sample.clips);
    paths.push_back(sample.logits);
  }
  return paths;
}

void require_folder_of(const std::string& path, const char* flag) {
  const fs::path folder = fs::path(path).parent_path();
  if (folder.empty() || fs::is_directory(folder)) return;
  fail("{} {}: there is no folder {}; make it first", flag, path, folder.string());
}

struct Calibration {
  at::Tensor clips;   // float32 [M, 3, T, H, W], centre frames
  at::Tensor labels;  // int64 [M], -1 where they are not wanted
  int64_t unreadable = 0;
  std::string first_reason;
};

// Spread over the list, which often stands in the order of its classes.
std::vector<Clip> at_most(std::vector<Clip> clips, size_t count) {
  if (clips.size() <= count) return clips;
  std::vector<Clip> some;
  for (size_t i = 0; i < count; ++i) some.push_back(clips[i * clips.size() / count]);
  return some;
}

// `classes`: of the labels, where they are wanted.
Calibration read_calibration(const Int8Options& options, const InputOptions& input,
                             const Classes& classes, Progress& progress) {
  ClipReader reader(input, {});
  const ClipList list = clips_of(options.list, options.videos, reader, progress, classes);
  const auto clips = at_most(list.clips, static_cast<size_t>(options.most_clips));
  std::vector<at::Tensor> parts;
  std::vector<int64_t> labels;
  EvaluationBatches batches(reader, clips, 1, 8, /*threads=*/1);
  progress.begin("reading clips", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    parts.push_back(batch->clips);
    for (int64_t i = 0; i < batch->rows.size(0); ++i) {
      labels.push_back(clips[batch->rows[i].item<int64_t>()].label);
    }
    progress.step(batch->rows[-1].item<int64_t>() + 1);
  }
  progress.end();
  Calibration read;
  for (const auto& bad : {list.quarantined, reader.quarantined()}) {
    read.unreadable += std::ssize(bad);
    if (read.first_reason.empty() && !bad.empty()) read.first_reason = bad[0].reason;
  }
  if (clips.empty() && list.unlabelled_segments > 0) {
    fail("{}: every row is unlabelled, and int8.accuracy_loss wants labels; give another list, or "
         "int8.tolerance",
         options.list);
  }
  if (parts.empty()) {
    fail("--int8: none of the videos to calibrate on can be read: {}", read.first_reason);
  }
  read.clips = at::cat(parts);
  read.labels = torch::tensor(labels, torch::kInt64);
  return read;
}

// Puts the graph into eight bits.
Int8Report quantise_graph(OnnxModel& graph, const Calibration& calibration,
                          const Int8Options& options, Progress& progress) {
  Quantised int8 = quantise(graph, calibration.clips, options.quantise, options.threads, progress,
                            calibration.labels);
  int8.model.metadata = graph.metadata;
  graph = std::move(int8.model);
  Int8Report report;
  report.layers = int8.layers;
  report.left = std::move(int8.left);
  report.change = int8.change;
  report.flipped = int8.flipped;
  report.accuracy = int8.accuracy;
  report.float_accuracy = int8.float_accuracy;
  report.clips = calibration.clips.size(0);
  report.unreadable = calibration.unreadable;
  report.first_reason = calibration.first_reason;
  return report;
}

// float32 [N, K], in batches that the engine takes.
at::Tensor logits_of(Engine& engine, const at::Tensor& clips) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : clips.split(engine.batch())) {
    parts.push_back(engine.run(part).logits);
  }
  return at::cat(parts);
}

// Compares what was written with the network.
std::optional<ReadBack> read_back(const ExportTarget& target, const std::string& file,
                                  const at::Tensor& clips, const at::Tensor& logits,
                                  const ExportOptions& options) {
  const FileReader reader = target.reader();
  if (!reader.present) return std::nullopt;
  const at::Tensor theirs = logits_of(*target.open(file, {}), clips);
  const double error = ((theirs - logits).norm() / logits.norm()).item<double>();
  if (!(error <= (options.int8 ? kInt8Error : target.tolerance()))) {
    fail("{}: read back by {} its logits differ by {:.1e} of their size: not written; export it "
         "as safetensors",
         options.out, reader.title, error);
  }
  return ReadBack{reader, error, clips.size(0)};
}

// Parts of the old model never stand beside parts of the new one: a kill in here leaves parts that
// nothing reads.
void publish(UnfinishedFile& files, const std::string& out, const ExportTarget& target,
             const std::string& description) {
  const std::vector<std::string> endings = target.endings();
  const std::string description_path = target.description_of(out);
  fs::remove(description_path);
  if (endings.size() > 1) fs::remove(out);
  for (size_t i = 1; i < endings.size(); ++i) files.publish(with_ending(out, endings[i]), i);
  files.publish(out);
  write_atomically(description_path, description);
}

ExportReport export_graph(const ExportOptions& options, const ExportTarget& target,
                          const SavedModel& saved, Progress& progress) {
  const torch::NoGradGuard no_grad;
  InputOptions input;
  read_described(input, saved.input_yaml, options.model + " (input)");
  ExportReport report;
  report.path = options.out;
  report.clip = clip_sizes(input);
  report.any_batch = target.takes_any_batch();
  OnnxModel graph = freeze(*saved.net, report.clip);
  graph.metadata["distal"] = saved.side_json;
  std::vector<int64_t> sizes = report.clip;
  sizes.insert(sizes.begin(), kComparedClips);
  at::Tensor clips = at::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(1));
  if (options.int8) {
    const bool labelled = options.int8->quantise.accuracy_loss >= 0;
    if (labelled && options.int8->list.empty()) {
      throw UsageError("int8.accuracy_loss wants --list LIST with a column label");
    }
    const Classes classes = labelled ? Classes{saved.classes} : Classes{};
    const Calibration calibration = read_calibration(*options.int8, input, classes, progress);
    report.int8 = quantise_graph(graph, calibration, *options.int8, progress);
    clips = calibration.clips.slice(0, 0, kComparedClips).contiguous();
  }
  const at::Tensor logits = saved.net->forward(clips).logits;
  UnfinishedFile files(stem_path(options.out), target.endings());
  target.write_graph(graph, files);
  report.read_back = read_back(target, files.name(), clips, logits, options);
  publish(files, options.out, target, saved.side_json);
  if (!options.sample.empty()) {
    const NpyFiles sample(options.sample);
    write_npy(sample.clips, clips);
    write_npy(sample.logits, logits);
  }
  return report;
}

TargetChoice target_of(const ExportOptions& options) {
  return options.target ? options.target : target_for(options.out);
}

}  // namespace

TargetChoice target_for(const std::string& out) {
  const TargetChoice target = target_of_file(out);
  if (target) return target;
  std::vector<std::string> endings;
  for (const TargetChoice& each : export_targets()) {
    const std::string ending = each->endings()[0];
    const bool says_it = ending == "." + each.name();
    endings.push_back(says_it ? ending : fmt::format("{} ({})", ending, each.name()));
  }
  throw UsageError(fmt::format("--out {}: ends in {}", out, either_of(endings)));
}

void require_consistent(const ExportOptions& options) {
  const TargetChoice target = target_of(options);
  const std::string ending = fs::path(options.out).extension().string();
  expect(ending == target->endings()[0], "a file is named as its target names files");
  if (options.int8 && !target->carries_int8()) {
    std::vector<std::string> files;
    for (const TargetChoice& each : export_targets()) {
      if (each->carries_int8()) files.push_back("FILE" + each->endings()[0]);
    }
    throw UsageError(fmt::format("--int8 wants --out {}; {} keeps the float weights",
                                 either_of(files), target.name()));
  }
  if (options.int8 && options.int8->list.empty() == options.int8->videos.empty()) {
    const bool none = options.int8->list.empty();
    throw UsageError(fmt::format("--int8 wants videos of the pool to calibrate on: {}",
                                 none ? "name them, or give --list LIST"
                                      : "they are named, or --list LIST is given, and not both"));
  }
  if (!target->holds_graph() && !options.sample.empty()) {
    std::vector<std::string> endings;
    for (const TargetChoice& each : export_targets()) {
      if (each->holds_graph()) endings.push_back(each->endings()[0]);
    }
    throw UsageError(fmt::format("--sample is for {}", fmt::join(endings, " and ")));
  }
}

ExportReport export_model(const ExportOptions& options, Progress& progress) {
  require_consistent(options);
  const TargetChoice target = target_of(options);
  require_folder_of(options.out, "--out");
  require_folder_of(options.sample, "--sample");
  for (const std::string& path : written_files(options, *target)) require_place_for(path);
  clear_leftovers_of(stem_path(options.out));
  const SavedModel saved = load_model(options.model);
  if (target->holds_graph()) return export_graph(options, *target, saved, progress);
  target->write_weights(saved, options.out);
  ExportReport report;
  report.path = options.out;
  return report;
}

}  // namespace distal
