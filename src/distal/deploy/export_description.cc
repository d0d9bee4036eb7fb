#include "distal/deploy/export_description.h"

#include <cmath>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/revision.h"
#include "distal/deploy/export.h"
#include "distal/deploy/reader_program.h"

namespace distal {
namespace {

using DescriptionJson = nlohmann::ordered_json;

DescriptionJson input_json(const InputOptions& input, const ExportReport& report) {
  const DescriptionJson batch = report.any_batch ? DescriptionJson("N") : DescriptionJson(1);
  const int64_t frames = input.sampling.frames;
  if (report.takes_frames) {
    return {{"name", "frames"},  {"type", "uint8"},
            {"layout", "NTHWC"}, {"shape", {batch, frames, "H", "W", 3}},
            {"channels", "RGB"}, {"range", {0, 255}}};
  }
  return {{"name", "clips"},   {"type", "float32"},
          {"layout", "NCTHW"}, {"shape", {batch, 3, frames, input.size_px, input.size_px}},
          {"channels", "RGB"}, {"range", {-1, 1}}};
}

DescriptionJson outputs_json(const ExportReport& report) {
  std::vector<std::string> names = {"logits", "embedding"};
  if (report.takes_frames) names.insert(names.begin(), "probabilities");
  DescriptionJson outputs = DescriptionJson::array();
  for (const std::string& name : names)
    outputs.push_back(
        {{"name", name}, {"type", "float32"}, {"layout", name == "embedding" ? "ND" : "NK"}});
  return outputs;
}

DescriptionJson sampling_json(const SamplingOptions& sampling) {
  const bool even = sampling.rule == "even";
  return {{"rule", sampling.rule},
          {"frames", sampling.frames},
          {"stride", sampling.stride},
          {"frames_of_clip", "the n frames, from number `first` on, whose begin lies in [start_s, "
                             "end_s), s from the begin "
                             "of the first frame; a frame that begins up to 0.0005 s before a "
                             "limit, and nearer to it than "
                             "the next, counts as beginning there; where there are none, the frame "
                             "shown at start_s, n = 1"},
          {"formula",
           even ? "first + floor((2 i + 1) n / (2 T)), i = 0 .. T-1, T = frames"
                : "first + min(floor((max(n - (T - 1) stride, 1) - 1) / 2) + i stride, n - 1), "
                  "i = 0 .. T-1, T = frames"}};
}

DescriptionJson decoding_json() {
  return {
      {"order", "the frames that FFmpeg gives when it decodes the file from its first byte to "
                "its last, numbered from 0 in the order in which they are shown"},
      {"range", "as the frame declares it; limited where it declares none and its pixel format "
                "is not yuvj*"},
      {"matrix", "as the frame declares it (BT.709, FCC, SMPTE 240M, BT.2020); BT.601 otherwise"},
      {"orientation", "upright: the display matrix of the file is applied after the scaling"}};
}

DescriptionJson scaling_json(const InputOptions& input, bool in_graph) {
  return {
      {"short_side_px", input.cached_short_side_px()},
      {"long_side_px",
       "floor((long short_side_px + floor(short / 2)) / short), of the frame's sides"},
      {"filter",
       "libswscale: SWS_BILINEAR alone, or SWS_AREA alone where both sides shrink to less "
       "than half"},
      {"order",
       "8-bit YUV 4:2:0 is scaled as YUV, each plane as a picture of its own (chroma sites "
       "in the centre), then becomes RGB with an even number of rows, the last one cut off "
       "again; other formats become RGB while they are scaled"},
      {"in_graph",
       in_graph ? "frames of another short side are scaled by the same filters on RGB, without the "
                  "rounding of libswscale: close to that, not equal. Frames whose short side is "
                  "short_side_px pass unchanged."
                : "no"}};
}

DescriptionJson parts_json(const InputOptions& input, const ExportReport& report) {
  return {
      {"sampling", sampling_json(input.sampling)},
      {"decoding", decoding_json()},
      {"scaling", scaling_json(input, report.takes_frames)},
      {"crop",
       {{"square", "side short_side_px, its first row floor((rows - side) / 2), its first column "
                   "floor((columns - side) / 2)"},
        {"size_px", input.size_px},
        {"filter", "bilinear, pixel centres at half pixels, no low-pass filter, in float32"},
        {"in_graph", report.takes_frames}}},
      {"values", {{"formula", "x / 127.5 - 1"}, {"in_graph", report.takes_frames}}},
      {"softmax", {{"over", "classes"}, {"in_graph", report.takes_frames}}}};
}

DescriptionJson known(double value) {
  return std::isnan(value) ? DescriptionJson() : DescriptionJson(value);
}

DescriptionJson int8_json(const Int8Report& int8) {
  return {{"layers", int8.layers},
          {"left_in_float", int8.left},
          {"calibration_clips", int8.clips},
          {"mean_change_of_probabilities", int8.change},
          {"share_of_other_classes", int8.flipped},
          {"accuracy", known(int8.accuracy)},
          {"float_accuracy", known(int8.float_accuracy)}};
}

// Of the model card.

std::string text_at(const DescriptionJson& json, const char* path) {
  const DescriptionJson::json_pointer at(path);
  if (!json.contains(at) || json.at(at).is_null()) return "unknown";
  const DescriptionJson& value = json.at(at);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.4f}", value.get<double>());
  return value.dump();
}

std::string list_row(const DescriptionJson& list, const std::string& role) {
  std::string counts;
  const auto classes = list.find("classes");
  if (classes != list.end()) {
    for (const auto& [name, clips] : classes->items())
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", name, clips.dump());
  }
  return fmt::format("| {} | {} | {} | {} | {} |\n", role, text_at(list, "/list"),
                     text_at(list, "/clips"), text_at(list, "/groups"),
                     counts.empty() ? "unknown" : counts);
}

std::string data_text(const DescriptionJson& training) {
  if (!training.contains("data")) return "Unknown: the model does not say what it learned from.\n";
  std::string text =
      "| role | list | clips | groups | clips of each class |\n|---|---|---|---|---|\n";
  for (const auto& [role, list] : training.at("data").items()) text += list_row(list, role);
  return text;
}

std::string accuracy_text(const DescriptionJson& training) {
  if (!training.contains("test")) return "Unknown: it was not measured when the model was saved.\n";
  const DescriptionJson& test = training.at("test");
  const std::string interval =
      test.contains("interval") && test["interval"].is_array()
          ? fmt::format(", 95 % interval {:.4f} to {:.4f} over {} groups of test clips",
                        test["interval"][0].get<double>(), test["interval"][1].get<double>(),
                        text_at(test, "/groups"))
          : ", interval unknown";
  return fmt::format("Accuracy {}{}. Mean of classes {}. Expected calibration error {} (15 bins). "
                     "Log loss {}. Measured on the test list, in float32, before the export.\n",
                     text_at(test, "/accuracy"), interval, text_at(test, "/mean_class_accuracy"),
                     text_at(test, "/ece"), text_at(test, "/nll"));
}

std::string precision_text(const DescriptionJson& made) {
  std::string text = fmt::format("Precision: {}.", text_at(made, "/precision"));
  if (made.contains("int8")) {
    text += fmt::format(" {} layers compute in 8 bits. On {} calibration clips the probabilities "
                        "change by {} in the mean, and the class of a share of {}.",
                        text_at(made, "/int8/layers"), text_at(made, "/int8/calibration_clips"),
                        text_at(made, "/int8/mean_change_of_probabilities"),
                        text_at(made, "/int8/share_of_other_classes"));
  }
  return text + "\n";
}

std::string input_text(const DescriptionJson& made) {
  std::string text;
  for (const char* part : {"sampling", "decoding", "scaling", "crop", "values", "softmax"}) {
    for (const auto& [name, value] : made.at(part).items())
      text += fmt::format("| {} | {} | {} |\n", part, name,
                          text_at(made, fmt::format("/{}/{}", part, name).c_str()));
  }
  return "| step | what | value |\n|---|---|---|\n" + text;
}

}  // namespace

nlohmann::ordered_json describe_export(const SavedModel& saved, const InputOptions& input,
                                       const ExportReport& report, const std::string& title) {
  DescriptionJson description = DescriptionJson::parse(saved.side_json);
  DescriptionJson made = {{"distal", revision()},
                          {"format", title},
                          {"precision", report.int8 ? "int8" : "float32"},
                          {"input", input_json(input, report)},
                          {"outputs", outputs_json(report)}};
  made.update(parts_json(input, report));
  if (report.int8) made["int8"] = int8_json(*report.int8);
  description["export"] = std::move(made);
  return description;
}

void describe_read_back(nlohmann::ordered_json& description, const ExportReport& report) {
  if (!report.read_back) return;
  const ReadBack& back = *report.read_back;
  DescriptionJson& made = description["export"]["read_back"];
  made = {
      {"by", back.reader.title}, {"clips", back.clips}, {"relative_error_of_logits", back.error}};
  if (back.change) made["largest_change_of_a_probability"] = *back.change;
}

std::string model_card(const nlohmann::ordered_json& description, const std::string& name) {
  const DescriptionJson& made = description.at("export");
  const DescriptionJson training = description.value("training", DescriptionJson::object());
  std::string text = fmt::format("# {}\n\nA video classifier that distal {} exported.\n", name,
                                 text_at(made, "/distal"));
  text += fmt::format("\nClasses: {}.\n",
                      fmt::join(description.at("classes").get<std::vector<std::string>>(), ", "));
  text +=
      fmt::format("\n## Use\n\n`python {}.py VIDEO` prints the class of a video. `{}.json` says "
                  "what the graph takes, and what is outside it:\n\n{}\n{}",
                  name, name, input_text(made), precision_text(made));
  text += "\n## Accuracy and calibration\n\n" + accuracy_text(training);
  text += "\n## Data\n\n" + data_text(training);
  text +=
      fmt::format("\n## Training\n\nStudy: {}. Arm: {}. Seed: {}. Round: {}. Initial weights: {}, "
                  "licence {}.\n",
                  text_at(training, "/study"), text_at(training, "/arm"),
                  text_at(training, "/seed"), text_at(training, "/round"),
                  text_at(training, "/init/file"), text_at(training, "/init/licence"));
  text += fmt::format("\nThe network:\n\n```yaml\n{}\n```\n", text_at(description, "/model"));
  if (training.contains("recipe"))
    text += fmt::format("\nThe options that its training depended on:\n\n```yaml\n{}\n```\n",
                        text_at(training, "/recipe"));
  return text;
}

std::string reader_program() { return kReaderProgram; }

}  // namespace distal
