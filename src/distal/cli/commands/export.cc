#include <cmath>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/cli/command.h"
#include "distal/deploy/export.h"
#include "distal/models/opened_network.h"

namespace distal {
namespace {

struct ExportArguments {
  std::string model;
  std::string out;
  std::string format;
  std::string list;
  std::string sample;
  std::string input = "frames";
  std::vector<std::string> videos;
  std::vector<std::string> sets;
  int64_t clips = 128;
  int64_t threads = 0;
  bool int8 = false;
  bool json = false;
  bool quiet = false;
};

// What --set sets: int8.KEY, and NAME.KEY of the targets with options of their own.
struct ExportSettings {
  std::optional<QuantiseOptions> int8;
  std::vector<TargetChoice> targets;
  void visit(OptionVisitor& v) const {
    if (int8) v("int8", *int8, "how it is quantised");
    for (const TargetChoice& target : targets) {
      if (target.has_options()) v(target.name().c_str(), target, "how it is written");
    }
  }
};

TargetChoice target_of(const ExportArguments& arguments) {
  const TargetChoice target = target_for(arguments.out);
  if (!arguments.format.empty() && arguments.format != target.name()) {
    throw UsageError(fmt::format("--out {} is a name for {}, and --format says {}", arguments.out,
                                 target.name(), arguments.format));
  }
  return target;
}

void refuse_what_has_no_effect(const ExportArguments& arguments, const TargetChoice& target) {
  if (arguments.int8) return;
  if (!arguments.list.empty() || !arguments.videos.empty()) {
    throw UsageError("videos are what --int8 is calibrated on; without it none is read");
  }
  if (!arguments.sets.empty() && !target.has_options()) throw UsageError("--set is for --int8");
}

void read_settings(const std::vector<std::string>& sets, ExportOptions& options) {
  std::vector<Override> overrides;
  for (const auto& set : sets) overrides.push_back(Override::parse(set));
  ExportSettings settings;
  if (options.int8) settings.int8.emplace();
  settings.targets = {options.target};
  Document::text("{}", "--set").with(overrides).read(settings);
  if (options.int8) options.int8->quantise = *settings.int8;
  options.target = settings.targets[0];
}

ExportOptions options_of(const ExportArguments& arguments) {
  ExportOptions options;
  options.model = arguments.model;
  options.out = arguments.out;
  options.target = target_of(arguments);
  options.sample = arguments.sample;
  options.frames = arguments.input == "frames";
  refuse_what_has_no_effect(arguments, options.target);
  if (arguments.int8) {
    options.int8.emplace();
    options.int8->list = arguments.list;
    options.int8->videos = arguments.videos;
    options.int8->most_clips = arguments.clips;
    options.int8->threads = arguments.threads;
  }
  require_consistent(options);
  read_settings(arguments.sets, options);
  return options;
}

// The report.

std::string int8_text(const Int8Report& int8) {
  std::string text =
      fmt::format("int8: {} layers, {} left in float{}{}\n", int8.layers, int8.left.size(),
                  int8.left.empty() ? "" : ": ", fmt::join(int8.left, " "));
  text += fmt::format(
      "on {} clips the probabilities change by {:.4f} in the mean, and the class of {:.1f} %\n",
      int8.clips, int8.change, 100 * int8.flipped);
  if (!std::isnan(int8.accuracy)) {
    text += fmt::format("accuracy {:.4f} in float, {:.4f} in int8\n", int8.float_accuracy,
                        int8.accuracy);
  }
  if (int8.unreadable > 0) {
    text += fmt::format("not calibrated on {} videos that cannot be read, the first: {}\n",
                        int8.unreadable, int8.first_reason);
  }
  return text;
}

std::string report_text(const ExportReport& report) {
  if (report.clip.empty()) return report.path + "\n";
  const char* batch = report.any_batch ? "N" : "1";
  std::string text = report.takes_frames
                         ? fmt::format("{}: frames uint8 [{}, {}, H, W, 3] to probabilities\n",
                                       report.path, batch, report.clip[1])
                         : fmt::format("{}: clips float32 [{}, {}] in [-1, 1] to logits\n",
                                       report.path, batch, fmt::join(report.clip, ", "));
  if (report.int8) text += int8_text(*report.int8);
  if (const auto& back = report.read_back) {
    text += fmt::format("read back by {}: relative error of the logits {:.1e} on {} {}\n",
                        back->reader.title, back->error, back->clips,
                        report.int8 ? "of those clips" : "random clips");
    if (back->change)
      text +=
          fmt::format("from frames on, a probability differs by {:.1e} at most\n", *back->change);
  }
  return text;
}

nlohmann::ordered_json report_json(const ExportReport& report) {
  nlohmann::ordered_json json = {{"path", report.path}};
  if (!report.clip.empty()) {
    json["clip"] = report.clip;
    json["input"] = report.takes_frames ? "frames" : "clips";
  }
  if (const auto& int8 = report.int8) {
    if (!std::isnan(int8->accuracy)) {
      json["float_accuracy"] = int8->float_accuracy;
      json["int8_accuracy"] = int8->accuracy;
    }
    json["int8_layers"] = int8->layers;
    json["left_in_float"] = int8->left;
    json["change"] = int8->change;
    json["flipped"] = int8->flipped;
    json["calibration_clips"] = int8->clips;
    json["unreadable"] = int8->unreadable;
  }
  if (const auto& back = report.read_back) {
    json[back->reader.engine + "_error"] = back->error;
    if (back->change) json["change_from_frames"] = *back->change;
  }
  return json;
}

void export_as_told(const ExportArguments& arguments) {
  const ExportOptions options = options_of(arguments);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                           : ConsoleProgress::Mode::automatic);
  const ExportReport report = export_model(options, progress);
  fmt::print("{}", arguments.json ? json_text(report_json(report)) + "\n" : report_text(report));
}

// Help.

// A word of each target.
template <class Word>
std::vector<std::string> words_of_targets(const Word& word) {
  std::vector<std::string> words;
  for (const TargetChoice& target : export_targets()) words.push_back(word(target));
  return words;
}

std::string name_of(const TargetChoice& target) { return target.name(); }

std::string title_of(const TargetChoice& target) { return target->title(); }

std::string file_of(const TargetChoice& target) {
  const std::string remark = target->remark();
  const std::string file = "FILE" + target->endings()[0];
  return remark.empty() ? file : fmt::format("{} ({})", file, remark);
}

std::string settings_help() {
  ExportSettings all;
  all.int8.emplace();
  all.targets = export_targets();
  return "Options, with --set:\n" + help_text([&](OptionVisitor& v) { all.visit(v); });
}

void add_export(CLI::App* command) {
  const std::vector<std::string> names = words_of_targets(name_of);
  command->description(
      fmt::format("a trained model as a file for other programs: {}, perhaps in eight bits",
                  either_of(words_of_targets(title_of))));
  const auto arguments = std::make_shared<ExportArguments>();
  command->add_option("model", arguments->model, "a .safetensors that run or train wrote")
      ->required();
  command->add_option("videos", arguments->videos,
                      "with --int8: videos of the pool, for the calibration");
  command->add_option("--out", arguments->out, either_of(words_of_targets(file_of)))->required();
  command->add_option("--format", arguments->format, either_of(names) + " [by the name of --out]")
      ->check(CLI::IsMember(names));
  command
      ->add_option("--input", arguments->input,
                   "of the graph: frames, uint8 of any size, which it crops, scales and normalises "
                   "and answers by probabilities; or clips, float32 in [-1, 1], answered by logits")
      ->check(CLI::IsMember({"frames", "clips"}))
      ->capture_default_str();
  command->add_flag(
      "--int8", arguments->int8,
      "quantises layers to 8-bit integers; leaves layers in float to meet int8.tolerance");
  command->add_option("--list", arguments->list,
                      "CSV with a column path instead of videos, relative to its folder");
  command->add_option("--clips", arguments->clips, "with --int8: at most so many are read")
      ->capture_default_str()
      ->transform(number_from(1, 10000));
  command->add_option("--set", arguments->sets, "key=value, e.g. int8.range=mse; may be repeated")
      ->take_all()
      ->delimiter('\0');
  command->add_option(
      "--sample", arguments->sample,
      "also writes PREFIX_frames.npy and PREFIX_probabilities.npy, or _clips.npy and "
      "_logits.npy: at most four clips and this program's float answers, to check "
      "other runtimes by");
  command->add_option("--threads", arguments->threads, "[all]")->transform(number_from(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag_function(
      "--untrusted", [](int64_t) { refuse_network_programs(); },
      "refuse what executes code: a model on a network in .pt2 or .pt");
  command->add_flag("--json", arguments->json, "the report as JSON");
  command->footer(settings_help());
  command->callback([arguments] { export_as_told(*arguments); });
}

}  // namespace

extern const Command export_command;
const Command export_command{110, add_export};

}  // namespace distal
