#include "distal/cli/bench.h"

#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/video/decoder.h"

namespace distal {

void BenchRecipe::visit(OptionVisitor& v) const {
  v("list", list, "which clips");
  v("input", input, "how they are prepared");
  v("model", model, "the network, with random weights");
  v("training", training, "how it is trained, where it is");
  v("int8", int8, "how it is quantised, where it is");
}

void BenchArguments::add_to(CLI::App& command) {
  command.add_option("--data", data, "folder of the list and the videos")->required();
  command.add_option("--set", sets, "key=value: list.csv, input.size_px, model.name, training.precision, int8.range, ...; may be repeated")->take_all()->delimiter('\0');
  command.add_option("--clips", clips, "at most so many")->capture_default_str()->transform(number_from(1));
  command.add_option("--batch", batch, "clips of a batch")->capture_default_str()->transform(number_from(1, 1024));
  command.add_option("--threads", threads, "of the networks [all]")->transform(number_from(1, 1024));
  command.add_flag("--json", json, "the rows as JSON");
}

BenchClips::BenchClips(const BenchArguments& arguments) {
  std::vector<Override> overrides;
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  Document::text("{list: {csv: train.csv}, model: {name: resnet3d}, input: {sampling: {frames: 16}, size_px: 112}}", "--set").with(overrides).read(recipe);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  reader.emplace(recipe.input, CacheOptions{});
  auto rows = read_rows(arguments.data + "/" + recipe.list.csv, recipe.list.groups);
  classes = classes_of(rows);
  rows.resize(std::min(rows.size(), static_cast<size_t>(arguments.clips)));
  Progress quiet(Progress::Mode::quiet);
  clips = make_clips(rows, arguments.data, {}, classes, [&](const std::string& path) { return reader->probe(path); }, quiet).clips;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

namespace {

struct DecodeArguments {
  std::string data, list = "train.csv";
  int64_t frames = 16;
  bool json = false;
};

// One thread; every video is probed, then read: `frames` spread evenly, as stored.
void bench_decode(const DecodeArguments& arguments) {
  const EndAtOnce makes_nothing;
  at::set_num_threads(1);
  double probe_s = 0, read_s = 0;
  int64_t frames = 0, bad = 0;
  nlohmann::ordered_json means = nlohmann::ordered_json::object();
  for (const Row& row : read_rows(arguments.data + "/" + arguments.list, "", /*labelled=*/false)) {
    Progress::check_interrupted();
    if (means.contains(row.path)) continue;
    try {
      VideoInfo info;
      probe_s += seconds([&] { info = probe(arguments.data + "/" + row.path.str()); });
      std::vector<int64_t> indices;
      const int64_t count = arguments.frames > 0 ? arguments.frames : info.frames();
      for (int64_t k = 0; k < count; ++k) indices.push_back((2 * k + 1) * info.frames() / (2 * count));
      Frames read;
      read_s += seconds([&] { read = Decoder(info).at_frames(indices, {}); });
      means[row.path] = read.frames.mean(at::kDouble).item<double>();
      frames += count;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      ++bad;
    }
  }
  if (arguments.json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"seconds", read_s}, {"probe_s", probe_s}, {"frames", frames}, {"bad", bad}, {"means", means}}));
    return;
  }
  fmt::print("{} frames of {} videos, one thread: {:.2f} s, {:.0f} frames/s; probed before in {:.2f} s; {} videos cannot be read\n", frames, means.size(), read_s,
             static_cast<double>(frames) / read_s, probe_s, bad);
}

void add_bench_decode(CLI::App& bench) {
  auto* command = bench.add_subcommand("decode", "frames a second of the decoder, from the file, without the cache; against others: bench/decode.py");
  const auto arguments = std::make_shared<DecodeArguments>();
  command->add_option("--data", arguments->data, "folder of the list and the videos")->required();
  command->add_option("--list", arguments->list, "list in it")->capture_default_str();
  command->add_option("--frames", arguments->frames, "of each video, spread evenly; 0: all")->capture_default_str()->transform(number_from(0));
  command->add_flag("--json", arguments->json, "seconds and the mean pixel of each video");
  command->callback([arguments] { bench_decode(*arguments); });
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* command = app.add_subcommand("bench", "how fast this program is here, as a ratio in one run: distal bench decode, score or train");
  command->require_subcommand(1);
  add_bench_decode(*command);
  add_bench_score(*command);
  add_bench_train(*command);
}

}  // namespace distal
