#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "data/batches.h"
#include "infer/freeze.h"
#include "infer/openvino.h"
#include "infer/quantise.h"
#include "video/decoder.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kCalibrationClips = 32;

struct BenchRecipe {
  ListOptions list;
  InputOptions input;
  ModelOptions model;
  QuantiseOptions int8;
  void visit(OptionVisitor& v) {
    v("list", list, "clips to score");
    v("input", input, "how they are prepared");
    v("model", model, "what scores them, with random weights");
    v("int8", int8, "how it is quantised");
  }
};

struct BenchArguments {
  std::string data;
  std::vector<std::string> sets;
  int64_t clips = 64, batch = 8, threads = 0, repeats = 3;
  bool json = false;
};

struct Contender {
  std::string name;
  std::unique_ptr<Engine> engine;
  double ready_s = 0;                  // until it takes its first clip: traced, calibrated, compiled
  double worst = 0;                    // relative error of the logits against the first
  double same_class = 0;               // share of clips
  std::vector<double> bare, whole;     // clips/s, of the engine alone and from the frame cache on
};

// As many batches under way as the engine takes.
template <class Next> at::Tensor logits_of(Engine& engine, Next next) {
  std::vector<std::future<Output>> answers;
  while (const auto clips = next()) answers.push_back(engine.submit(*clips));
  std::vector<at::Tensor> logits;
  for (auto& answer : answers) logits.push_back(answer.get().logits);
  return at::cat(logits);
}

template <class Work> double seconds(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class ScoreBench {
 public:
  explicit ScoreBench(const BenchArguments& arguments) : arguments_(arguments) {
    std::vector<Override> overrides;
    for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
    Document::text("{list: {csv: train.csv}, model: {name: resnet3d}, input: {sampling: {frames: 16}, size_px: 112}}", "--set").with(overrides).read(recipe_);
    if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
    reader_.emplace(recipe_.input, CacheOptions{});
    auto rows = read_rows(arguments.data + "/" + recipe_.list.csv, recipe_.list.groups);
    rows.resize(std::min(rows.size(), static_cast<size_t>(arguments.clips)));
    Progress quiet(Progress::Mode::quiet);
    clips_ = make_clips(rows, arguments.data, {}, classes_of(rows), [&](const std::string& path) { return reader_->probe(path); }, quiet).clips;
    classes_ = std::ssize(classes_of(read_rows(arguments.data + "/" + recipe_.list.csv, "")));
  }

  void run() {
    const auto net = recipe_.model.build(classes_, Random(1));
    net->eval();
    for (auto batches = evaluation(); const auto batch = batches->next();) ready_.push_back(batch->clips);  // decodes what is not cached
    if (ready_.empty()) fail("{}: no clip of it can be read", recipe_.list.csv);
    const auto sizes = ready_[0].sizes().slice(1).vec();
    const OpenvinoOptions f32{.batch = arguments_.batch, .threads = arguments_.threads};
    OpenvinoOptions bf16 = f32;
    bf16.precision = "bf16";
    add("libtorch f32", [&] { return libtorch_engine(net); });
    add("openvino f32", [&] { return openvino_engine(freeze(*net, sizes), f32); });
    add("openvino bf16", [&] { return openvino_engine(freeze(*net, sizes), bf16); });
    add("openvino int8", [&] {
      const Quantised int8 = quantise(freeze(*net, sizes), at::cat(ready_).slice(0, 0, kCalibrationClips), recipe_.int8, arguments_.threads, progress_);
      remarks_.push_back(fmt::format("int8: {} layers, {} left in float; calibrated on the first {} of these clips", int8.layers, int8.left.size(),
                                     std::min(kCalibrationClips, expected_.size(0))));
      return openvino_engine(int8.model, f32);
    });
    for (int64_t i = 0; i < arguments_.repeats; ++i) {
      for (auto& contender : contenders_) time(contender);
    }
    print();
  }

 private:
  std::unique_ptr<EvaluationBatches> evaluation() {
    return std::make_unique<EvaluationBatches>(*reader_, clips_, classes_, arguments_.batch, /*threads=*/1);
  }
  auto from_memory() {
    return [this, row = size_t{0}]() mutable { return row < ready_.size() ? std::optional(ready_[row++]) : std::nullopt; };
  }
  // What this machine or this build cannot do is a remark, no end.
  void add(const std::string& name, const std::function<std::unique_ptr<Engine>()>& make) {
    Progress::check_interrupted();
    try {
      std::unique_ptr<Engine> engine;
      const double ready_s = seconds([&] { engine = make(); });
      const auto logits = logits_of(*engine, from_memory());  // warms up, too
      if (contenders_.empty()) expected_ = logits;
      contenders_.push_back({name, std::move(engine), ready_s, ((logits - expected_).norm() / expected_.norm()).item<double>(),
                             (logits.argmax(1) == expected_.argmax(1)).to(at::kDouble).mean().item<double>()});
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      remarks_.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  void time(Contender& contender) {
    Progress::check_interrupted();
    const double count = static_cast<double>(expected_.size(0));
    contender.bare.push_back(count / seconds([&] { logits_of(*contender.engine, from_memory()); }));
    contender.whole.push_back(count / seconds([&] {
      const auto batches = evaluation();
      logits_of(*contender.engine, [&]() -> std::optional<at::Tensor> {
        const auto batch = batches->next();
        return batch ? std::optional(batch->clips) : std::nullopt;
      });
    }));
  }
  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  void print() const {
    const double first = median(contenders_[0].whole);
    if (arguments_.json) {
      nlohmann::ordered_json rows;
      for (const auto& c : contenders_)
        rows.push_back({{"engine", c.name}, {"clips_per_s", median(c.whole)}, {"alone_clips_per_s", median(c.bare)}, {"ratio", median(c.whole) / first},
                        {"ready_s", c.ready_s}, {"error", c.worst}, {"same_class", c.same_class}});
      fmt::print("{}\n", nlohmann::ordered_json{{"engines", rows}, {"remarks", remarks_}}.dump());
      return;
    }
    fmt::print("{} clips {}, batches of {}, {} threads, median of {}\n", expected_.size(0), fmt::join(ready_[0].sizes().slice(1), "x"), arguments_.batch,
               at::get_num_threads(), arguments_.repeats);
    fmt::print("{:16} {:>9} {:>13} {:>7} {:>9} {:>15} {:>11}\n", "engine", "clips/s", "engine alone", "ratio", "ready, s", "error (logits)", "same class");
    for (const auto& c : contenders_)
      fmt::print("{:16} {:9.2f} {:13.2f} {:7.2f} {:9.2f} {:15.2e} {:10.1f}%\n", c.name, median(c.whole), median(c.bare), median(c.whole) / first, c.ready_s, c.worst,
                 100 * c.same_class);
    for (const auto& remark : remarks_) fmt::print("{}\n", remark);
  }

  const BenchArguments& arguments_;
  BenchRecipe recipe_;
  std::optional<ClipReader> reader_;
  std::vector<Clip> clips_;
  int64_t classes_ = 0;
  std::vector<at::Tensor> ready_;
  at::Tensor expected_;
  std::vector<Contender> contenders_;
  std::vector<std::string> remarks_;
  Progress progress_{Progress::Mode::quiet};
};

struct DecodeArguments {
  std::string data, list = "train.csv";
  int64_t frames = 16;
  bool json = false;
};

// One thread; every video is probed, then read: `frames` spread evenly, as stored.
void bench_decode(const DecodeArguments& arguments) {
  at::set_num_threads(1);
  double probe_s = 0, read_s = 0;
  int64_t frames = 0, bad = 0;
  nlohmann::ordered_json means = nlohmann::ordered_json::object();
  for (const Row& row : read_rows(arguments.data + "/" + arguments.list, "", /*labelled=*/false)) {
    Progress::check_interrupted();
    if (means.contains(row.path)) continue;
    try {
      VideoInfo info;
      probe_s += seconds([&] { info = probe(arguments.data + "/" + row.path); });
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
    fmt::print("{}\n", nlohmann::ordered_json{{"seconds", read_s}, {"probe_s", probe_s}, {"frames", frames}, {"bad", bad}, {"means", means}}.dump());
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
  command->add_option("--frames", arguments->frames, "of each video, spread evenly; 0: all")->capture_default_str()->check(CLI::NonNegativeNumber);
  command->add_flag("--json", arguments->json, "seconds and the mean pixel of each video");
  command->callback([arguments] { bench_decode(*arguments); });
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* command = app.add_subcommand("bench", "how fast this program is here, as a ratio in one run");
  command->require_subcommand(1);
  add_bench_decode(*command);
  auto* score = command->add_subcommand("score", "clips a second of each engine: LibTorch, OpenVINO in f32, in bf16 where the processor has it, and in int8");
  const auto arguments = std::make_shared<BenchArguments>();
  score->add_option("--data", arguments->data, "folder of the list and the videos")->required();
  score->add_option("--set", arguments->sets, "key=value: list.csv, input.size_px, model.name, int8.range, ...; may be repeated")->take_all()->delimiter('\0');
  score->add_option("--clips", arguments->clips, "at most so many")->capture_default_str()->check(CLI::PositiveNumber);
  score->add_option("--batch", arguments->batch, "clips of a batch")->capture_default_str()->check(CLI::Range(1, 1024));
  score->add_option("--threads", arguments->threads, "of the networks [all]")->check(CLI::Range(1, 1024));
  score->add_option("--repeats", arguments->repeats, "the median counts")->capture_default_str()->check(CLI::Range(1, 100));
  score->add_flag("--json", arguments->json, "the rows as JSON");
  score->callback([arguments] {
    const torch::NoGradGuard no_grad;
    ScoreBench(*arguments).run();
  });
}

}  // namespace distal
