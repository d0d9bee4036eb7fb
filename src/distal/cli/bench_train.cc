#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/npy.h"
#include "distal/base/random.h"
#include "distal/cli/bench.h"
#include "distal/models/model.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

struct TrainArguments : BenchArguments {
  int64_t steps = 8;
  std::string out;
};

// Labels, and when each step ended. Of the first step also its batch, its loss and its gradients.
class Watched final : public Objective {
 public:
  Losses losses(Net& net, const Batch& batch) override {
    Losses losses = supervised_.losses(net, batch);
    if (ended_.empty()) {
      first_ = batch;
      loss_ = total(losses).item<double>();
    }
    return losses;
  }
  void stepped(Net& net, int64_t step, int64_t steps) override {
    if (ended_.empty()) {
      for (const auto& parameter : net.named_parameters()) {
        if (parameter.value().grad().defined())
          gradients_.emplace_back(parameter.key(), parameter.value().grad().clone());
      }
    }
    ended_.push_back(std::chrono::steady_clock::now());
  }
  double step_s() const {
    std::vector<double> took;
    for (size_t i = 1; i < ended_.size(); ++i)
      took.push_back(std::chrono::duration<double>(ended_[i] - ended_[i - 1]).count());
    return median(took);
  }
  const Batch& first() const { return first_; }
  double loss() const { return loss_; }
  const Tensors& gradients() const { return gradients_; }
  double gradient_norm() const {
    std::vector<torch::Tensor> norms;
    for (const auto& [name, gradient] : gradients_) norms.push_back(gradient.norm());
    return torch::stack(norms).norm().item<double>();
  }

 private:
  Supervised supervised_;
  std::vector<std::chrono::steady_clock::time_point> ended_;
  Batch first_;
  double loss_ = 0;
  Tensors gradients_;
};

// The training loop on augmented clips from the frame cache, twice over the same ones: the first
// time decodes them.
void bench_train(const TrainArguments& arguments) {
  BenchClips of(arguments);
  TrainingOptions training = of.recipe.training;
  training.batch_size = arguments.batch;
  training.steps = arguments.steps;
  const LabelSpace labels = of.classes.size();
  std::vector<Sample> samples;
  for (const Clip& clip : of.clips) {
    samples.push_back({clip, labels.target(clip.label), 1, {}});
  }
  BatchStream stream;
  stream.open = [&](int64_t first) {
    const auto batches = std::make_shared<TrainingBatches>(
        *of.reader, samples, labels, training.batch_size, AugmentOptions{}, false, Random(2), first,
        training.threads);
    return [batches] { return batches->next(); };
  };
  stream.describe = [](const torch::Tensor&) { return std::string("those of the bench"); };
  const auto net = of.recipe.model.build(labels.outputs(), Random(1));
  if (!arguments.out.empty()) {
    make_folder(arguments.out);
    save_safetensors(arguments.out + "/weights.safetensors", state(*net));
  }
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  Watched first, timed;
  fit(*net, training, first, stream, Random(3), "", quiet);
  const FitReport report = fit(*net, training, timed, stream, Random(3), "", quiet);
  if (!arguments.out.empty()) {
    write_npy(arguments.out + "/clips.npy", first.first().clips);
    write_npy(arguments.out + "/targets.npy", first.first().targets);
    save_safetensors(arguments.out + "/gradients.safetensors", first.gradients());
  }
  const double stalled = report.waited_s / report.seconds;
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"step_s", timed.step_s()},
                                              {"stalled", stalled},
                                              {"precision", report.precision},
                                              {"loss", first.loss()},
                                              {"gradient_norm", first.gradient_norm()}}
                           .dump());
    return;
  }
  fmt::print("batches of {} clips {}, {}, {} threads: {:.3f} s a step, median of {}; {:.1f} % of "
             "the time the step waited for clips\n",
             arguments.batch, fmt::join(first.first().clips.sizes().slice(1), "x"),
             report.precision, at::get_num_threads(), timed.step_s(), arguments.steps - 1,
             100 * stalled);
  fmt::print("the first batch: loss {:.6f}, norm of the gradient {:.6f}\n", first.loss(),
             first.gradient_norm());
}

}  // namespace

void add_bench_train(CLI::App& bench) {
  auto* command = bench.add_subcommand(
      "train", "seconds a training step, from the frame cache on; against others: bench/train.py");
  const auto arguments = std::make_shared<TrainArguments>();
  arguments->add_to(*command);
  command->add_option("--steps", arguments->steps, "the median of all but the first counts")
      ->capture_default_str()
      ->transform(number_from(2, 100000));
  command->add_option("--out", arguments->out,
                      "folder for the first weights, the first batch (float32 [N, 3, T, H, W]), "
                      "its targets and its gradients");
  command->callback([arguments] { bench_train(*arguments); });
}

}  // namespace distal
