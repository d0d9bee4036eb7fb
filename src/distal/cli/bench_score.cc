#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"
#include "distal/cli/bench.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/models/model.h"

namespace distal {
namespace {

constexpr int64_t kCalibrationClips = 32;

struct Contender {
  std::string name;
  std::unique_ptr<Engine> engine;
  double ready_s = 0;               // until it takes its first clip: traced, calibrated, compiled
  double worst = 0;                 // relative error of the logits against the first
  double same_class = 0;            // share of clips
  std::vector<double> bare, whole;  // clips/s, of the engine alone and from the frame cache on
};

// As many batches under way as the engine takes.
template <class Next>
at::Tensor logits_of(Engine& engine, Next next) {
  std::vector<std::future<Output>> answers;
  while (const auto clips = next()) {
    check_interrupted();
    answers.push_back(engine.submit(*clips));
  }
  std::vector<at::Tensor> logits;
  for (auto& answer : answers) logits.push_back(answer.get().logits);
  return at::cat(logits);
}

class ScoreBench {
 public:
  explicit ScoreBench(const BenchArguments& arguments) : arguments_(arguments), of_(arguments) {}

  void run() {
    const auto net = of_.recipe.model.build(of_.classes.size(), Random(1));
    net->eval();
    for (auto batches = evaluation();
         const auto batch = batches->next();) {  // decodes what is not cached
      check_interrupted();
      ready_.push_back(batch->clips);
    }
    if (ready_.empty()) fail("{}: no clip of it can be read", of_.recipe.list.csv);
    const auto sizes = ready_[0].sizes().slice(1).vec();
    const OpenvinoOptions automatic{.batch = arguments_.batch, .threads = arguments_.threads};
    OpenvinoOptions f32 = automatic;
    OpenvinoOptions bf16 = automatic;
    f32.precision = "f32";
    bf16.precision = "bf16";
    add("libtorch f32", [&] { return libtorch_engine(net); });
    add("openvino f32", [&] { return openvino_engine(freeze(*net, sizes), f32); });
    add("openvino bf16", [&] { return openvino_engine(freeze(*net, sizes), bf16); });
    add("openvino int8", [&] {
      const Quantised int8 =
          quantise(freeze(*net, sizes), at::cat(ready_).slice(0, 0, kCalibrationClips),
                   of_.recipe.int8, arguments_.threads, progress_);
      remarks_.push_back(fmt::format(
          "int8: {} layers, {} left in float; calibrated on the first {} of these clips",
          int8.layers, int8.left.size(), std::min(kCalibrationClips, expected_.size(0))));
      return openvino_engine(int8.model, automatic);
    });
    for (int64_t i = 0; i < arguments_.repeats; ++i) {
      for (auto& contender : contenders_) time(contender);
    }
    print();
  }

 private:
  std::unique_ptr<EvaluationBatches> evaluation() {
    return std::make_unique<EvaluationBatches>(*of_.reader, of_.clips, of_.classes.size(),
                                               arguments_.batch, /*threads=*/1);
  }
  auto from_memory() {
    return [this, row = size_t{0}]() mutable {
      return row < ready_.size() ? std::optional(ready_[row++]) : std::nullopt;
    };
  }
  // What this machine or this build cannot do is a remark, no end.
  void add(const std::string& name, const std::function<std::unique_ptr<Engine>()>& make) {
    check_interrupted();
    try {
      std::unique_ptr<Engine> engine;
      const double ready_s = seconds([&] { engine = make(); });
      const auto logits = logits_of(*engine, from_memory());  // warms up, too
      if (contenders_.empty()) expected_ = logits;
      contenders_.push_back(
          {name, std::move(engine), ready_s,
           ((logits - expected_).norm() / expected_.norm()).item<double>(),
           (default_task().predicted(logits) == default_task().predicted(expected_))
               .to(at::kDouble)
               .mean()
               .item<double>()});
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      remarks_.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
  void time(Contender& contender) {
    check_interrupted();
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
  void print() const {
    const double first = median(contenders_[0].whole);
    if (arguments_.json) {
      nlohmann::ordered_json rows;
      for (const auto& c : contenders_)
        rows.push_back({{"engine", c.name},
                        {"clips_per_s", median(c.whole)},
                        {"alone_clips_per_s", median(c.bare)},
                        {"ratio", median(c.whole) / first},
                        {"ready_s", c.ready_s},
                        {"error", c.worst},
                        {"same_class", c.same_class}});
      fmt::print("{}\n", nlohmann::ordered_json{{"engines", rows}, {"remarks", remarks_}}.dump());
      return;
    }
    fmt::print("{} clips {}, batches of {}, {} threads, median of {}\n", expected_.size(0),
               fmt::join(ready_[0].sizes().slice(1), "x"), arguments_.batch, at::get_num_threads(),
               arguments_.repeats);
    fmt::print("{:16} {:>9} {:>13} {:>7} {:>9} {:>15} {:>11}\n", "engine", "clips/s",
               "engine alone", "ratio", "ready, s", "error (logits)", "same class");
    for (const auto& c : contenders_)
      fmt::print("{:16} {:9.2f} {:13.2f} {:7.2f} {:9.2f} {:15.2e} {:10.1f}%\n", c.name,
                 median(c.whole), median(c.bare), median(c.whole) / first, c.ready_s, c.worst,
                 100 * c.same_class);
    for (const auto& remark : remarks_) fmt::print("{}\n", remark);
  }

  const BenchArguments& arguments_;
  BenchClips of_;
  std::vector<at::Tensor> ready_;
  at::Tensor expected_;
  std::vector<Contender> contenders_;
  std::vector<std::string> remarks_;
  ConsoleProgress progress_{ConsoleProgress::Mode::quiet};
};

}  // namespace

void add_bench_score(CLI::App& bench) {
  auto* command =
      bench.add_subcommand("score", "clips a second of each engine: LibTorch, OpenVINO in f32, in "
                                    "bf16 where the processor has it, and in int8");
  const auto arguments = std::make_shared<BenchArguments>();
  arguments->add_to(*command);
  command->add_option("--repeats", arguments->repeats, "the median counts")
      ->capture_default_str()
      ->transform(number_from(1, 100));
  command->callback([arguments] {
    const EndAtOnce makes_nothing;
    const torch::NoGradGuard no_grad;
    ScoreBench(*arguments).run();
  });
}

}  // namespace distal
