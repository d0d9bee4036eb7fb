#include "distal/deploy/export.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/leftovers.h"
#include "distal/base/npy.h"
#include "distal/base/progress.h"
#include "distal/data/augment.h"
#include "distal/data/batches.h"
#include "distal/deploy/export_description.h"
#include "distal/deploy/frame_input.h"
#include "distal/deploy/model_file.h"
#include "distal/deploy/network_graph.h"
#include "distal/infer/freeze.h"
#include "distal/models/model.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kComparedClips = 4;
// Relative, of the logits. Int8Report::change bounds eight bits more closely.
constexpr double kInt8Error = 1;

// Of a probability, in float32: what an exported file may be off from the network by.
constexpr double kFloatChange = 1e-3;

struct NpyFiles {
  explicit NpyFiles(const ExportOptions& options)
      : taken(options.sample + (options.frames ? "_frames.npy" : "_clips.npy")),
        given(options.sample + (options.frames ? "_probabilities.npy" : "_logits.npy")) {}
  std::string taken;
  std::string given;
};

std::string card_of(const std::string& path) { return path + ".md"; }
std::string program_of(const std::string& path) { return path + ".py"; }

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
  if (target.holds_graph()) {
    paths.push_back(card_of(options.out));
    paths.push_back(program_of(options.out));
  }
  if (!options.sample.empty()) {
    const NpyFiles sample(options);
    paths.push_back(sample.taken);
    paths.push_back(sample.given);
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
  at::Tensor frames;  // uint8 [N, T, H, W, 3], of the first clips of one size, at most four
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

// Of clips that can be read.
at::Tensor some_frames(ClipReader& reader, const std::vector<Clip>& clips) {
  std::vector<at::Tensor> frames;
  for (const Clip& clip : clips) {
    if (std::ssize(frames) == kComparedClips) break;
    const at::Tensor read = reader.read(clip, nullptr, false);
    if (frames.empty() || read.sizes() == frames[0].sizes()) frames.push_back(read.clone());
  }
  return at::stack(frames);
}

// `classes`: of the labels, where they are wanted.
Calibration read_calibration(const Int8Options& options, const InputOptions& input,
                             const Classes& classes, Progress& progress) {
  ClipReader reader(input, {});
  const ClipList list = clips_of(options.list, options.videos, reader, progress, classes);
  const auto clips = at_most(list.clips, static_cast<size_t>(options.most_clips));
  std::vector<at::Tensor> parts;
  std::vector<int64_t> labels;
  std::vector<Clip> readable;
  EvaluationBatches batches(reader, clips, 1, 8, /*threads=*/1);
  progress.begin("reading clips", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    parts.push_back(batch->clips);
    for (int64_t i = 0; i < batch->rows.size(0); ++i) {
      readable.push_back(clips[batch->rows[i].item<int64_t>()]);
      labels.push_back(readable.back().label);
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
  read.frames = some_frames(reader, readable);
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

// What an exported file is compared on, and what the network says of it.
struct Compared {
  at::Tensor frames;         // uint8 [N, T, H, W, 3]; undefined: the file takes clips
  at::Tensor clips;          // float32 [N, 3, T, H, W]
  at::Tensor logits;         // float32 [N, K]
  at::Tensor probabilities;  // the same
};

at::Tensor noisy_frames(const InputOptions& input) {
  const int64_t side = input.cached_short_side_px();
  const std::vector<int64_t> sizes = {kComparedClips, input.sampling.frames, side, side * 4 / 3, 3};
  return at::randint(0, 256, sizes, at::make_generator<at::CPUGeneratorImpl>(1), at::kByte);
}

at::Tensor noisy_clips(const std::vector<int64_t>& clip) {
  std::vector<int64_t> sizes = clip;
  sizes.insert(sizes.begin(), kComparedClips);
  return at::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(1));
}

// `calibration`: the clips come from it; null: noise.
Compared compared_on(const ExportOptions& options, const InputOptions& input,
                     const Calibration* calibration, Net& net) {
  Compared compared;
  if (options.frames) {
    compared.frames = calibration != nullptr ? calibration->frames : noisy_frames(input);
    std::vector<at::Tensor> clips;
    for (const at::Tensor& frames : compared.frames.unbind())
      clips.push_back(centre(frames, input.size_px));
    compared.clips = at::stack(clips);
  } else if (calibration != nullptr) {
    compared.clips = calibration->clips.slice(0, 0, kComparedClips).contiguous();
  } else {
    compared.clips = noisy_clips(clip_sizes(input));
  }
  compared.logits = net.forward(compared.clips).logits;
  compared.probabilities = default_task().probabilities(compared.logits).contiguous();
  return compared;
}

// Where the file takes frames: the largest change of a probability.
std::optional<double> change_from_frames(const ExportTarget& target, const std::string& file,
                                         const Compared& compared) {
  if (!compared.frames.defined()) return std::nullopt;
  const int64_t together = target.takes_any_batch() ? kComparedClips : 1;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : compared.frames.split(together)) {
    parts.push_back(target.probabilities(file, part));
    if (!parts.back().defined()) return std::nullopt;
  }
  return (at::cat(parts) - compared.probabilities).abs().max().item<double>();
}

// Compares what was written with the network.
std::optional<ReadBack> read_back(const ExportTarget& target, const std::string& file,
                                  const Compared& compared, const ExportOptions& options) {
  const FileReader reader = target.reader();
  if (!reader.present) return std::nullopt;
  const at::Tensor& logits = compared.logits;
  const at::Tensor theirs = logits_of(*target.open(file, {}), compared.clips);
  const double error = ((theirs - logits).norm() / logits.norm()).item<double>();
  if (!(error <= (options.int8 ? kInt8Error : target.tolerance()))) {
    fail("{}: read back by {} its logits differ by {:.1e} of their size: not written; export it "
         "as safetensors",
         options.out, reader.title, error);
  }
  const std::optional<double> change = change_from_frames(target, file, compared);
  if (change && !(*change <= (options.int8 ? 1 : kFloatChange))) {
    fail("{}: read back by {} a probability differs by {:.1e}: not written; export it with --input "
         "clips, or as safetensors",
         options.out, reader.title, *change);
  }
  return ReadBack{reader, error, compared.clips.size(0), change};
}

// Parts of the old model never stand beside parts of the new one: a kill in here leaves parts that
// nothing reads.
void publish(UnfinishedFile& files, const std::string& out, const ExportTarget& target,
             const nlohmann::ordered_json& description) {
  const std::vector<std::string> endings = target.endings();
  const std::string description_path = target.description_of(out);
  for (const std::string& old : {description_path, card_of(out), program_of(out)}) fs::remove(old);
  if (endings.size() > 1) fs::remove(out);
  for (size_t i = 1; i < endings.size(); ++i) files.publish(with_ending(out, endings[i]), i);
  files.publish(out);
  write_atomically(program_of(out), reader_program());
  write_atomically(card_of(out), model_card(description, fs::path(out).filename().string()));
  write_atomically(description_path, json_text(description, 2) + "\n");
}

void write_sample(const ExportOptions& options, const Compared& compared) {
  if (options.sample.empty()) return;
  const NpyFiles sample(options);
  write_npy(sample.taken, options.frames ? compared.frames : compared.clips);
  write_npy(sample.given, options.frames ? compared.probabilities : compared.logits);
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
  report.takes_frames = options.frames;
  const bool of_others = saved.net->network() != nullptr;
  if (of_others && options.int8)
    throw UsageError(
        "--int8 puts distal's own networks into eight bits, and the backbone of this model is a "
        "network of others; leave it out, or quantise the network before the head is trained");
  OnnxModel graph = of_others ? graph_with_network(saved, report.clip, options.out)
                              : freeze(*saved.net, report.clip);
  std::optional<Calibration> calibration;
  if (options.int8) {
    const bool labelled = options.int8->quantise.accuracy_loss >= 0;
    if (labelled && options.int8->list.empty()) {
      throw UsageError("int8.accuracy_loss wants --list LIST with a column label");
    }
    const Classes classes = labelled ? Classes{saved.classes} : Classes{};
    calibration = read_calibration(*options.int8, input, classes, progress);
    report.int8 = quantise_graph(graph, *calibration, *options.int8, progress);
  }
  const Compared compared =
      compared_on(options, input, calibration ? &*calibration : nullptr, *saved.net);
  if (options.frames) take_frames(graph, input);
  nlohmann::ordered_json description = describe_export(saved, input, report, target.title());
  graph.metadata["distal"] = json_text(description);
  UnfinishedFile files(stem_path(options.out), target.endings());
  target.write_graph(graph, files);
  report.read_back = read_back(target, files.name(), compared, options);
  describe_read_back(description, report);
  publish(files, options.out, target, description);
  write_sample(options, compared);
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
