// The loop by hand: its numbers are worked out here from the formulas, its runs are killed and
// continued.

#include <csignal>

#include <unistd.h>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/testing.h"
#include "distal/models/classifier.h"
#include "distal/models/layers.h"
#include "distal/models/weights.h"
#include "distal/train/fit.h"

namespace distal {
namespace {

using ::testing::Combine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::Values;

// The nets of these tests are small: on a busy machine threads that wait for each other cost
// tenfold.
[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Features [N, 4] to logits [N, 3].
class TinyNet final : public Classifier {
 public:
  explicit TinyNet(uint64_t seed, double dropout = 0.5, bool norm = true)
      : hidden_(register_module("hidden", std::make_shared<Linear>(4, 6))) {
    if (norm) norm_ = register_module("norm", std::make_shared<BatchNorm>(6));
    add_head(6, 3, dropout);
    initialise(*this, Random(seed));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.mul_(50);  // N(0, 0.5)
    }
  }
  Output forward(const at::Tensor& clips) override {
    const auto x = hidden_->forward(clips);
    const auto embedding = (norm_ ? norm_->forward(x) : x).relu();
    return {head(embedding), embedding};
  }

 private:
  std::shared_ptr<Linear> hidden_;
  std::shared_ptr<BatchNorm> norm_;
};

// Four weights and two biases, for steps that are worked by hand.
class OneLayer final : public Classifier {
 public:
  OneLayer() {
    add_head(2, 2, 0);
    const torch::NoGradGuard no_grad;
    named_parameters()["fc.weight"].copy_(at::tensor({1.0f, -2.0f, 0.5f, 3.0f}).view({2, 2}));
    named_parameters()["fc.bias"].copy_(at::tensor({1.0f, -1.0f}));
  }
  Output forward(const at::Tensor& clips) override { return {head(clips), clips}; }

  std::vector<double> values() const {  // weights, then biases
    const auto all =
        at::cat({named_parameters()["fc.weight"].flatten(), named_parameters()["fc.bias"]})
            .detach()
            .to(at::kDouble);
    return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
  }
};
constexpr size_t kWeights = 4;

class LogitsAreClips final : public Net {
 public:
  Output forward(const at::Tensor& clips) override { return {clips, clips}; }
  at::Tensor head(const at::Tensor& embedding) override { return embedding; }
  int64_t embedding_size() const override { return 2; }
};

// A loss whose gradient is the batch: `clips` for the weights of OneLayer, `targets` for its
// biases.
class GivenGradient final : public Objective {
 public:
  Losses losses(Net& net, const Batch& batch) override {
    const auto parameters = net.named_parameters();
    return {{"given", (parameters["fc.weight"] * batch.clips).sum() +
                          (parameters["fc.bias"] * batch.targets).sum()}};
  }
};

class ZeroGradient final : public Objective {
 public:
  Losses losses(Net& net, const Batch& batch) override {
    at::Tensor sum = at::zeros({});
    for (const auto& parameter : net.parameters()) sum = sum + (parameter * 0).sum();
    return {{"zero", sum}};
  }
};

// Supervision whose loss stays finite where one micro-batch's gradient does not: the slope of the
// square root at 0.
class SteepOnce final : public Objective {
 public:
  explicit SteepOnce(int64_t micro) : micro_(micro) {}
  Losses losses(Net& net, const Batch& batch) override {
    Losses losses = Supervised(0.1).losses(net, batch);
    const at::Tensor weight = net.named_parameters()["fc.weight"];
    if (batch.rows[0].item<int64_t>() == 100 * micro_)
      losses.emplace_back("steep", (weight - weight.detach()).sqrt().sum());
    return losses;
  }

 private:
  int64_t micro_;
};

Batch batch_of(const at::Tensor& clips, const at::Tensor& targets, int64_t first_row = 0) {
  Batch batch;
  batch.clips = clips;
  batch.targets = targets;
  batch.teacher = at::full_like(targets, kNan);
  batch.rows = at::arange(first_row, first_row + clips.size(0), at::kLong);
  batch.weights = at::ones({clips.size(0)});
  return batch;
}

using Source = std::function<Batch(int64_t micro)>;

// Eight clips that depend on the micro-batch alone; their rows begin at 100 times its number.
Batch drawn(int64_t micro) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(micro + 1));
  const auto clips = at::randn({8, 4}, generator, at::TensorOptions(at::kFloat));
  const auto labels = at::randint(3, {8}, generator, at::TensorOptions(at::kLong));
  return batch_of(clips, at::one_hot(labels, 3).to(at::kFloat), 100 * micro);
}

// The drawn batches, and something happens before micro-batch `when` is given.
Source drawn_but(int64_t when, const std::function<void()>& happens) {
  return [when, happens](int64_t micro) {
    if (micro == when) happens();
    return drawn(micro);
  };
}

Source always(const std::vector<float>& weights, const std::vector<float>& biases) {
  return [weights, biases](int64_t) {
    return batch_of(at::tensor(weights).view({2, 2}), at::tensor(biases));
  };
}

struct Killed {};
void be_killed() { throw Killed(); }

BatchStream stream_of(const Source& source) {
  BatchStream stream;
  stream.open = [source](int64_t first) {
    return [source, micro = first]() mutable { return source(micro++); };
  };
  stream.describe = [](const at::Tensor& rows) {
    std::string text;
    for (int64_t i = 0; i < rows.size(0); ++i)
      text += fmt::format("{}video_{}.mp4", i > 0 ? ", " : "", rows[i].item<int64_t>());
    return text;
  };
  return stream;
}

FitReport train(Net& net, const TrainingOptions& options, Objective& objective,
                const Source& source, const std::string& checkpoint = "",
                Random random = Random(1)) {
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  return fit(net, options, objective, stream_of(source), random, checkpoint, progress);
}

TrainingOptions plain(int64_t steps) {  // w -= 0.1 g
  TrainingOptions options;
  options.steps = steps;
  options.learning_rate = 0.1;
  options.momentum = options.weight_decay = options.warmup = 0;
  options.schedule = "constant";
  options.precision = "f32";
  return options;
}

TrainingOptions everything(const std::string& optimizer, double ema, int64_t accumulate) {
  TrainingOptions options = plain(7);
  options.optimizer = optimizer;
  options.momentum = 0.9;
  options.weight_decay = 0.01;
  options.warmup = 0.3;
  options.schedule = "cosine";
  options.max_gradient_norm = 1;
  options.ema = ema;
  options.accumulate = accumulate;
  return options;
}

std::vector<std::string> differing(const Tensors& a, const Tensors& b) {
  std::vector<std::string> names;
  if (a.size() != b.size()) names.push_back(fmt::format("{} and {} tensors", a.size(), b.size()));
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].first != b[i].first || !at::equal(a[i].second, b[i].second))
      names.push_back(a[i].first);
  }
  return names;
}
std::vector<std::string> differing(const Net& a, const Net& b) {
  return differing(state(a), state(b));
}

double distance(const Net& a, const Net& b) {
  const auto first = state(a);
  const auto second = state(b);
  double worst = 0;
  for (size_t i = 0; i < first.size(); ++i)
    worst = std::max(worst, (first[i].second - second[i].second).abs().max().item<double>());
  return worst;
}

std::vector<std::string> not_finite(const Tensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.isfinite().all().item<bool>()) names.push_back(name);
  }
  return names;
}

int64_t step_of(const std::string& checkpoint) {
  for (const auto& [name, tensor] : load_safetensors(checkpoint)) {
    if (name == "step") return tensor.item<int64_t>();
  }
  return -1;
}

// A gradient of parameter `i` of OneLayer at a step: of changing sign and size.
double slope(int64_t step, size_t i) {
  return 2 * std::sin(1 + 2.5 * static_cast<double>(step) + 1.7 * static_cast<double>(i));
}

Batch slopes(int64_t step) {
  std::vector<float> all;
  for (size_t i = 0; i < kWeights + 2; ++i) all.push_back(static_cast<float>(slope(step, i)));
  const auto tensor = at::tensor(all);
  return batch_of(tensor.slice(0, 0, kWeights).view({2, 2}), tensor.slice(0, kWeights));
}

TEST(Schedule, WarmsUpAndFallsAlongACosine) {
  TrainingOptions options;
  options.steps = 10;
  options.warmup = 0.2;
  EXPECT_DOUBLE_EQ(schedule(options, 0), 0.5);
  EXPECT_DOUBLE_EQ(schedule(options, 1), 1);
  EXPECT_DOUBLE_EQ(schedule(options, 2), 1);
  EXPECT_NEAR(schedule(options, 4), 0.8535533906, 1e-9);  // (1 + cos(pi 2 / 8)) / 2
  EXPECT_NEAR(schedule(options, 6), 0.5, 1e-9);
  EXPECT_NEAR(schedule(options, 9), 0.0380602337, 1e-9);  // (1 + cos(pi 7 / 8)) / 2
}

TEST(Schedule, StaysConstantAfterTheWarmUp) {
  TrainingOptions options;
  options.steps = 10;
  options.schedule = "constant";
  options.warmup = 0.45;  // 4 whole steps
  EXPECT_DOUBLE_EQ(schedule(options, 0), 0.25);
  EXPECT_DOUBLE_EQ(schedule(options, 2), 0.75);
  EXPECT_DOUBLE_EQ(schedule(options, 3), 1);
  EXPECT_DOUBLE_EQ(schedule(options, 9), 1);
  options.warmup = 0;
  EXPECT_DOUBLE_EQ(schedule(options, 0), 1);
  options.warmup = 1;
  EXPECT_DOUBLE_EQ(schedule(options, 9), 1);
  EXPECT_DOUBLE_EQ(schedule(options, 4), 0.5);
}

TEST(TrainingOptions, CountsStepsOfEpochs) {
  TrainingOptions options;
  options.steps = 77;
  options.batch_size = 16;
  EXPECT_EQ(options.steps_for(1000), 77);
  options.epochs = 2;
  EXPECT_EQ(options.steps_for(100), 13);  // 200 / 16
  EXPECT_EQ(options.steps_for(16), 2);
  EXPECT_EQ(options.steps_for(0), 1);
  options.accumulate = 2;
  EXPECT_EQ(options.steps_for(100), 7);  // 200 / 32
  options.epochs = 0.01;
  EXPECT_EQ(options.steps_for(100), 1);
  options.epochs = 1.5;
  EXPECT_EQ(options.steps_for(64), 3);  // 96 / 32
}

TEST(Fit, SgdStepsAreNesterovs) {
  TrainingOptions options = plain(4);
  options.momentum = 0.9;
  options.weight_decay = 0.05;
  options.warmup = 0.5;
  options.schedule = "cosine";
  const double factors[] = {0.5, 1, 1, 0.5};
  OneLayer net;
  const auto start = net.values();
  GivenGradient objective;
  train(net, options, objective, slopes);
  const auto got = net.values();
  for (size_t i = 0; i < start.size(); ++i) {
    double w = start[i];
    double velocity = 0;
    for (int64_t step = 0; step < 4; ++step) {
      const double gradient = slope(step, i) + (i < kWeights ? 0.05 * w : 0);
      velocity = 0.9 * velocity + gradient;
      w -= 0.1 * factors[step] * (gradient + 0.9 * velocity);
    }
    EXPECT_NEAR(got[i], w, 1e-5) << "parameter " << i;
  }
}

TEST(Fit, AdamwStepsAreThoseOfThePaper) {
  TrainingOptions options = plain(4);
  options.optimizer = "adamw";
  options.weight_decay = 0.05;
  options.warmup = 0.5;
  options.schedule = "cosine";
  const double factors[] = {0.5, 1, 1, 0.5};
  OneLayer net;
  const auto start = net.values();
  GivenGradient objective;
  train(net, options, objective, slopes);
  const auto got = net.values();
  for (size_t i = 0; i < start.size(); ++i) {
    double w = start[i];
    double first = 0;
    double second = 0;
    for (int64_t step = 0; step < 4; ++step) {
      const double gradient = slope(step, i);
      const double rate = 0.1 * factors[step];
      const double count = static_cast<double>(step + 1);
      if (i < kWeights) w -= rate * 0.05 * w;
      first = 0.9 * first + 0.1 * gradient;
      second = 0.999 * second + 0.001 * gradient * gradient;
      w -= rate * (first / (1 - std::pow(0.9, count))) /
           (std::sqrt(second / (1 - std::pow(0.999, count))) + 1e-8);
    }
    EXPECT_NEAR(got[i], w, 1e-5) << "parameter " << i;
  }
}

TEST(Fit, DecaysMatricesAndLeavesNormsAndBiases) {
  for (const char* optimizer : {"sgd", "adamw"}) {
    TrainingOptions options = plain(1);
    options.optimizer = optimizer;
    options.weight_decay = 0.5;
    TinyNet net(1);
    {
      const torch::NoGradGuard no_grad;
      for (auto& parameter : net.parameters()) parameter.fill_(2);
    }
    ZeroGradient objective;
    train(net, options, objective, drawn);
    ASSERT_THAT(net.parameters(), SizeIs(6));
    for (const auto& row : net.named_parameters()) {
      const double wanted = row.value().dim() > 1 ? 1.9 : 2;  // 2 (1 - 0.1 0.5)
      EXPECT_LT((row.value() - wanted).abs().max().item<double>(), 1e-6)
          << optimizer << " " << row.key();
    }
  }
}

TEST(Fit, ClipsTheGlobalNormOfTheGradient) {
  const auto step = [](double max_norm) {
    TrainingOptions options = plain(1);
    options.learning_rate = 1;
    options.max_gradient_norm = max_norm;
    OneLayer net;
    const auto start = net.values();
    GivenGradient objective;
    train(net, options, objective, always({3, 0, 0, 0}, {0, 4}));  // norm 5
    std::vector<double> moved = net.values();
    for (size_t i = 0; i < moved.size(); ++i) moved[i] = start[i] - moved[i];
    return moved;
  };
  const auto near = [](std::vector<double> wanted) {
    return ::testing::Pointwise(::testing::DoubleNear(1e-5), wanted);
  };
  EXPECT_THAT(step(1), near({0.6, 0, 0, 0, 0, 0.8}));
  EXPECT_THAT(step(10), near({3, 0, 0, 0, 0, 4}));
  EXPECT_THAT(step(0), near({3, 0, 0, 0, 0, 4}));
}

TEST(Fit, TwoHalfBatchesMakeTheStepOfTheWholeOne) {
  std::vector<double> moved;
  for (const double max_norm : {0.0, 0.05}) {
    TrainingOptions options = plain(3);
    options.momentum = 0.9;
    options.max_gradient_norm = max_norm;
    Supervised objective(0.1);
    const TinyNet start(1, 0, false);
    TinyNet whole(1, 0, false);
    TinyNet halves(1, 0, false);
    train(whole, options, objective, drawn);
    options.accumulate = 2;
    int64_t asked = 0;
    train(halves, options, objective, [&](int64_t micro) {
      ++asked;
      const Batch batch = drawn(micro / 2);
      const int64_t begin = micro % 2 * 4;
      return batch_of(batch.clips.slice(0, begin, begin + 4),
                      batch.targets.slice(0, begin, begin + 4));
    });
    EXPECT_EQ(asked, 6);
    EXPECT_LT(distance(whole, halves), 1e-6) << "clipped at " << max_norm;
    moved.push_back(distance(whole, start));
  }
  EXPECT_GT(moved[0], 2 * moved[1]) << "the gradient was not clipped";
  EXPECT_GT(moved[1], 1e-4);
}

TEST(Fit, KeepsTheMovingAverageOfTheWeights) {
  struct Case {
    double ema;
    std::vector<double> decays;
  };
  for (const auto& [ema, decays] :
       {Case{0.9, {2.0 / 11, 3.0 / 12, 4.0 / 13}}, Case{0.2, {2.0 / 11, 0.2, 0.2}}}) {
    TrainingOptions options = plain(3);
    options.learning_rate = 1;
    options.ema = ema;
    OneLayer net;
    const auto start = net.values();
    GivenGradient objective;
    train(net, options, objective, always({1, 1, 1, 1}, {1, 1}));
    const auto got = net.values();
    for (size_t i = 0; i < start.size(); ++i) {
      double w = start[i];
      double average = w;
      for (const double decay : decays) {
        w -= 1;
        average = decay * average + (1 - decay) * w;
      }
      EXPECT_NEAR(got[i], average, 1e-5) << "ema " << ema << " parameter " << i;
    }
  }
}

TEST(Fit, LeavesWhatIsFrozenAndRefusesWhenNothingTrains) {
  TinyNet net(1);
  TinyNet start(1);
  net.named_parameters()["hidden.weight"].set_requires_grad(false);
  Supervised objective(0);
  const auto report = train(net, everything("sgd", 0, 1), objective, drawn);
  EXPECT_EQ(report.steps, 7);
  EXPECT_EQ(report.precision, "f32");
  EXPECT_FALSE(net.is_training());
  EXPECT_TRUE(at::equal(net.named_parameters()["hidden.weight"],
                        start.named_parameters()["hidden.weight"]));
  EXPECT_FALSE(
      at::equal(net.named_parameters()["fc.weight"], start.named_parameters()["fc.weight"]));
  for (auto& parameter : net.parameters()) parameter.set_requires_grad(false);
  EXPECT_THAT(error_of([&] { train(net, plain(1), objective, drawn); }),
              HasSubstr("every parameter is frozen"));
}

TEST(Fit, GivesTheSameWeightsForTheSameSeedAndOthersForAnother) {
  TinyNet first(1);
  TinyNet second(1);
  TinyNet third(1);
  Supervised objective(0);
  const auto options = everything("sgd", 0, 1);
  train(first, options, objective, drawn, "", Random(1));
  train(second, options, objective, drawn, "", Random(1));
  train(third, options, objective, drawn, "", Random(2));  // drops other features
  EXPECT_THAT(differing(first, second), IsEmpty());
  EXPECT_THAT(differing(first, third), Not(IsEmpty()));
}

// Notes when it is told of a step, and that nothing is tracked after one.
class Watching final : public Objective {
 public:
  Losses losses(Net& net, const Batch& batch) override {
    said += 'l';
    return Supervised(0).losses(net, batch);
  }
  void starting(int64_t step, int64_t steps) override {
    said += fmt::format("s{}/{}", step, steps);
  }
  void stepped(Net&, int64_t step, int64_t steps) override {
    said += fmt::format("{}{}/{} ", at::GradMode::is_enabled() ? "tracked" : "e", step, steps);
  }
  std::string said;
};

TEST(Fit, TellsAnObjectiveWhenAStepStartsAndEnds) {
  TrainingOptions options = plain(2);
  options.accumulate = 2;
  TinyNet net(1);
  Watching objective;
  train(net, options, objective, drawn);
  EXPECT_EQ(objective.said, "s0/2lle1/2 s1/2lle2/2 ");
}

TEST(Supervised, SmoothsLabelsAndPassesOverUnknownRows) {
  LogitsAreClips net;
  const auto clips =
      at::tensor({0.0f, std::log(3.0f), 5.0f, -5.0f}).view({2, 2});  // of the first row: 1/4, 3/4
  const auto batch = batch_of(clips, at::tensor({0.0f, 1.0f, kNan, kNan}).view({2, 2}));
  EXPECT_NEAR(total(Supervised(0).losses(net, batch)).item<double>(), 0.2876820724,
              1e-6);  // -ln 3/4
  EXPECT_NEAR(total(Supervised(0.2).losses(net, batch)).item<double>(), 0.3975433013,
              1e-6);  // -0.1 ln 1/4 - 0.9 ln 3/4
}

class Resumption : public ::testing::TestWithParam<std::tuple<const char*, double, int64_t>> {};

TEST_P(Resumption, GivesTheWeightsOfARunThatWasNotKilledBitForBit) {
  const auto [optimizer, ema, accumulate] = GetParam();
  TrainingOptions options = everything(optimizer, ema, accumulate);
  options.checkpoint_every = 3;
  Supervised objective(0.1);
  // what comes after the first is in the checkpoint
  TinyNet straight(1);
  TinyNet killed(1);
  TinyNet killed_again(2);
  TinyNet finished(3);
  train(straight, options, objective, drawn);
  const TemporaryFolder folder;
  const std::string checkpoint = folder / "fit.safetensors";
  EXPECT_THROW(
      train(killed, options, objective, drawn_but(6 * accumulate - 1, be_killed), checkpoint),
      Killed);  // in step 5
  EXPECT_EQ(step_of(checkpoint), 3);
  EXPECT_THROW(
      train(killed_again, options, objective, drawn_but(6 * accumulate, be_killed), checkpoint),
      Killed);
  EXPECT_EQ(step_of(checkpoint), 6);
  const auto report = train(finished, options, objective, drawn, checkpoint);
  EXPECT_EQ(report.resumed_from, 6);
  EXPECT_EQ(report.steps, 7);
  EXPECT_THAT(differing(straight, finished), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Fit, Resumption,
                         Combine(Values("sgd", "adamw"), Values(0, 0.9), Values<int64_t>(1, 2)),
                         [](const auto& info) {
                           return fmt::format("{}{}_accumulate_{}", std::get<0>(info.param),
                                              std::get<1>(info.param) > 0 ? "_ema" : "",
                                              std::get<2>(info.param));
                         });

// Runs in a process of its own: a signal that was caught stays caught.
int stopped_by_a_signal() {
  const TemporaryFolder folder;
  TrainingOptions options = everything("adamw", 0.9, 1);
  Supervised objective(0.1);
  TinyNet killed(1);
  TinyNet stopped(1);
  options.checkpoint_every = 3;
  try {
    train(killed, options, objective, drawn_but(3, be_killed), folder / "killed.safetensors");
  } catch (const Killed&) {
  }
  options.checkpoint_every = 1000;
  catch_signals();
  try {
    train(stopped, options, objective, drawn_but(2, [] { std::raise(SIGTERM); }),
          folder / "stopped.safetensors");
    return 1;
  } catch (const Interrupted& interrupted) {
    if (interrupted.signal != SIGTERM) return 2;
  }
  return differing(load_safetensors(folder / "killed.safetensors"),
                   load_safetensors(folder / "stopped.safetensors"))
                 .empty()
             ? 0
             : 3;
}

TEST(FitDeathTest, ASignalLeavesTheCheckpointOfTheStepThatEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(::_exit(stopped_by_a_signal()), ::testing::ExitedWithCode(0), "");
}

TEST(NotFinite, ALossStopsTheRunWithStepAndVideosAndAGoodCheckpoint) {
  TrainingOptions options = everything("adamw", 0.9, 1);
  options.checkpoint_every = 1;
  Supervised objective(0.1);
  const TemporaryFolder folder;
  const std::string checkpoint = folder / "fit.safetensors";
  const Source poisoned = [](int64_t micro) {
    Batch batch = drawn(micro);
    if (micro == 3) batch.clips[5][2] = kNan;
    return batch;
  };
  TinyNet straight(1);
  TinyNet net(1);
  TinyNet continued(2);
  const std::string message =
      error_of([&] { train(net, options, objective, poisoned, checkpoint); });
  EXPECT_THAT(message, HasSubstr("training step 3: the loss is not finite (label="));
  EXPECT_THAT(message, HasSubstr("video_300.mp4, video_301.mp4"));
  EXPECT_THAT(message, Not(HasSubstr("video_200.mp4")));
  EXPECT_EQ(step_of(checkpoint), 3);
  EXPECT_THAT(not_finite(load_safetensors(checkpoint)), IsEmpty());
  train(straight, options, objective, drawn);
  train(continued, options, objective, drawn, checkpoint);
  EXPECT_THAT(differing(straight, continued), IsEmpty());
}

// Who watches sees losses, rates and parts of a thinned training, and changes no bit of it.
TEST(Fit, ShowsItsStepsAndStaysTheSame) {
  TrainingOptions options = everything("sgd", 0.9, 1);
  options.steps = 2 * kMostStepRecords + 3;
  Supervised objective(0.1);
  TinyNet plain_one(1);
  TinyNet watched(1);
  train(plain_one, options, objective, drawn);
  std::vector<StepRecord> records;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  const FitReport report =
      fit(watched, options, objective, stream_of(drawn), Random(1), "", progress, single_rank(),
          [&](const StepRecord& record) { records.push_back(record); });
  EXPECT_THAT(differing(plain_one, watched), IsEmpty());
  ASSERT_LE(records.size(), static_cast<size_t>(kMostStepRecords));
  EXPECT_EQ(records.front().from, 0);
  EXPECT_EQ(records.back().step, options.steps);
  for (size_t i = 1; i < records.size(); ++i) EXPECT_EQ(records[i].from, records[i - 1].step);
  const StepRecord& last = records.back();
  EXPECT_DOUBLE_EQ(last.learning_rate,
                   options.learning_rate * schedule(options, options.steps - 1));
  EXPECT_EQ(last.parts.size(), 1U);
  EXPECT_EQ(last.parts[0].first, "label");
  EXPECT_DOUBLE_EQ(last.parts[0].second, total(report.last_losses).item<double>());
  EXPECT_GT(last.samples_per_s, 0);
}

TEST(NotFinite, AGradientStopsTheRunInItsOwnStep) {
  for (const double max_norm : {0.0, 1.0}) {
    for (const int64_t accumulate : {1, 2}) {
      SCOPED_TRACE(fmt::format("max_gradient_norm {}, accumulate {}", max_norm, accumulate));
      TrainingOptions options = everything("sgd", 0.9, accumulate);
      options.max_gradient_norm = max_norm;
      options.checkpoint_every = 1;
      SteepOnce objective(3 * accumulate);  // the first micro-batch of step 3
      const TemporaryFolder folder;
      TinyNet net(1);
      const std::string message =
          error_of([&] { train(net, options, objective, drawn, folder / "fit.safetensors"); });
      EXPECT_THAT(message, HasSubstr("training step 3: the gradient is not finite"));
      EXPECT_THAT(message, HasSubstr(fmt::format("video_{}.mp4", 300 * accumulate)));
      EXPECT_THAT(message, HasSubstr(fmt::format("video_{}.mp4", 100 * (4 * accumulate - 1))))
          << "the last of the step";
      EXPECT_EQ(step_of(folder / "fit.safetensors"), 3);
      EXPECT_THAT(not_finite(load_safetensors(folder / "fit.safetensors")), IsEmpty());
      EXPECT_THAT(not_finite(state(net)), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace distal
