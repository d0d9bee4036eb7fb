// fuzz_seeds FOLDER: writes FOLDER/TARGET/NAME, what distal's own writers make, for the targets to
// start from. make_corpus.py adds what others write.
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/catalogue.h"
#include "distal/base/files.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"
#include "distal/data/cache_file.h"
#include "distal/data/probe_cache.h"
#include "distal/evaluation/results.h"
#include "distal/models/model_options.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/oracles/protocol.h"
#include "distal/study/recipe.h"
#include "distal/video/synthetic.h"

using namespace distal;
namespace fs = std::filesystem;

namespace {

std::string in(const std::string& folder, const std::string& target, const std::string& name) {
  fs::create_directories(fs::path(folder) / target);
  return (fs::path(folder) / target / name).string();
}

void write_videos(const std::string& folder) {
  using O = SyntheticOptions;
  const std::vector<std::pair<std::string, O>> videos = {
      {"plain.mp4", O{}},
      {"b_frames.mp4", O{.b_frames = 2}},
      {"edit_list.mp4", O{.b_frames = 2, .first_s = -0.12}},
      {"turned.mp4", O{.rotation = 90}},
      {"open.ts", O{.b_frames = 2, .open_gop = true}},
      {"sound.mkv", O{.audio = true}},
      {"variable.mkv", O{.variable_rate = true}},
      {"mpeg4.avi", O{.codec = "mpeg4"}},
      {"mjpeg.avi", O{.codec = "mjpeg"}},
      {"lossless.mkv", O{.codec = "ffv1"}}};
  for (auto [name, options] : videos) {
    options.frames = 8;
    options.gop = 4;
    options.width = options.height = 32;
    options.crf = 40;
    write_numbered(in(folder, "video", name), options);
  }
}

void write_arrays(const std::string& folder) {
  const auto values = torch::arange(6, torch::kFloat32).view({2, 3});
  write_npy(in(folder, "npy", "float32"), values);
  write_npy(in(folder, "npy", "float64"), values.to(torch::kFloat64));
  write_npy(in(folder, "npy", "int64"), values.to(torch::kInt64).flatten());
  const Tensors tensors = {{"conv.weight", values},
                           {"module.fc.bias", values.to(torch::kInt64)},
                           {"half", values.to(torch::kHalf)},
                           {"empty", torch::zeros({0, 3})}};
  save_safetensors(in(folder, "safetensors", "tensors"), tensors);
  save_safetensors(in(folder, "safetensors", "remarks"), tensors,
                   {{"format", "pt"}, {"distal", "{}"}});
}

void write_descriptions(const std::string& folder) {
  InputOptions input;
  for (const auto& row : catalogue<Backbone>()) {
    ModelOptions model;
    model.backbone = Choice<Backbone>(row.name.c_str());
    write_atomically(in(folder, "description", row.name),
                     side_json(model, {"left", "right"}, resolved(input)));
  }
}

void write_answers(const std::string& folder) {
  const auto probabilities = torch::tensor({0.2, 0.3, 0.5, 0.1, 0.1, 0.8}).view({2, 3});
  for (const bool binary : {false, true}) {
    protocol::Message message;
    message.json["id"] = "key";
    message.json["model_version"] = "1";
    protocol::append(message, "outputs", "probabilities", probabilities, binary);
    const std::string body = message.body();
    write_atomically(in(folder, "protocol", binary ? "binary" : "json"), "J" + body);
    // The length of the JSON in 16ths of the whole: a padded message has one.
    if (!binary) continue;
    std::string json = message.json.dump();
    while ((json.size() + message.raw.size()) * 12 / 16 < json.size() ||
           (json.size() + message.raw.size()) % 4 != 0)
      message.raw += '\0';
    json.resize((json.size() + message.raw.size()) * 12 / 16, ' ');
    write_atomically(in(folder, "protocol", "binary_length"), '\x0c' + json + message.raw);
  }
}

void write_results(const std::string& folder) {
  Clip clip;
  clip.video = "a.mp4";
  clip.video_id = "0123456789abcdef";
  clip.group = "a";
  clip.label = 1;
  Metrics metrics;
  metrics.accuracy = metrics.video_accuracy = metrics.mean_class_accuracy = 0.5;
  metrics.nll = 0.7;

  metrics.ece = 0.1;
  metrics.confusion = {{1, 0}, {1, 0}};
  metrics.calibration = {{2, 0.6, 0.5}};

  metrics.correct = {1, 0};
  metrics.worst = {{clip, 0, 0.25}};
  RoundResult round;
  round.answers = 4;
  round.metrics = metrics;
  RoundResult next = round;
  next.round = 1;
  next.answers = 8;
  next.metrics.accuracy = 1;
  Results results;
  results.question = "Which is better?";
  results.name = "small";

  results.classes = {"left", "right"};
  results.test_groups = {"a", "b"};
  results.trials = {{"random", 1, true, {round, next}, ""},
                    {"random", 2, true, {round, next}, ""},
                    {"margin", 1, false, {round, next}, "random"},
                    {"margin", 2, false, {round}, "random"}};
  results.quarantined = {{"c.mp4", "no video"}};
  results.notes = {"a note"};
  results.pool_clips = 8;

  results.test_clips = 2;
  write_atomically(in(folder, "results", "report"), to_json(results));
  write_atomically(in(folder, "results", "metrics"), to_json(metrics, results.classes));
  write_atomically(in(folder, "results", "round"), to_json(round));
  write_atomically(in(folder, "store", "round"), to_json(round));
  write_atomically(in(folder, "store", "answer"), "[0.25,0.75]");
}

void write_cache(const std::string& folder) {
  const fs::path records = fs::path(folder) / "cache" / "records";
  const FileStamp stamp{1, 2};
  VideoInfo info;
  info.id = "0123456789abcdef";
  info.time_s = {0, 0.04};
  info.pts = {0, 1};
  info.key = {1, 0};

  info.codec = "h264";
  info.damage = {"cut"};
  ProbeCache(records.string()).store("/video.mp4", stamp, info);
  fs::rename(fs::directory_iterator(records)->path(), in(folder, "cache", "probe"));
  fs::remove(records);
  const auto writer = CacheWriter::open(in(folder, "cache", "frames"), {2, 4, 4}, 1);
  const std::vector<uint8_t> frame(4 * 4 * 3, 7);
  for (const int64_t index : {0, 1}) writer->write(index, frame.data());
}

/// The names of a recipe's options as a dictionary of libFuzzer.
void write_dictionary(const std::string& folder) {
  Recipe recipe;
  std::set<std::string> words;
  std::istringstream lines(help_text([&](OptionVisitor& v) { recipe.visit(v); }));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream names(line.substr(0, line.find(' ', 2)));
    for (std::string word; std::getline(names >> std::ws, word, '.');) words.insert(word);
  }
  std::string text;
  for (const auto& word : words) text += fmt::format("\"{}: \"\n", word);
  write_atomically(in(folder, "dictionaries", "recipe"), text);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::string folder = arguments[1];
  for (const auto write : {write_videos, write_arrays, write_descriptions, write_answers,
                           write_results, write_cache, write_dictionary})
    write(folder);
  return 0;
}
