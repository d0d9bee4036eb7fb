// Training on a device whose memory the CPU may not read: what comes out is what the CPU makes of
// the same batches, checkpoints continue on either, and messages name videos from there too.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/data/augmentation.h"
#include "distal/models/backbone.h"
#include "distal/models/classifier.h"
#include "distal/models/device.h"
#include "distal/models/layers.h"
#include "distal/models/weights.h"
#include "distal/train/optimizer.h"
#include "distal/train/precision.h"
#include "distal/train/task_aware.h"
#include "distal/train/taught.h"
#include "support/fake_device.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Features [N, 4] to three classes over `width` hidden ones, which it shows as a map.
class TinyNet final : public Classifier {
 public:
  TinyNet(uint64_t seed, int64_t width, at::ScalarType type)
      : hidden_(register_module("hidden", std::make_shared<Linear>(4, width))),
        norm_(register_module("norm", std::make_shared<BatchNorm>(width))) {
    add_head(width, 3, /*dropout=*/0.3);
    initialise(*this, Random(seed));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.mul_(50);
    }
    to(type);
  }
  Output forward(const at::Tensor& clips) override {
    const auto embedding = norm_->forward(hidden_->forward(clips)).tanh();
    tap("hidden", embedding.view({clips.size(0), -1, 1, 1, 1}));
    return {head(embedding), embedding};
  }

 private:
  std::shared_ptr<Linear> hidden_;
  std::shared_ptr<BatchNorm> norm_;
};

// Eight clips; of the first two the teacher's word is unknown, of the last four the truth.
Batch drawn(int64_t micro, at::ScalarType type) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(micro + 1));
  Batch batch;
  batch.clips = at::randn({8, 4}, generator, at::TensorOptions(type));
  batch.targets =
      at::one_hot(at::randint(3, {8}, generator, at::TensorOptions(at::kLong)), 3).to(type);
  batch.targets.slice(0, 4).fill_(kNan);
  batch.teacher = at::randn({8, 3}, generator, at::TensorOptions(type)).softmax(1);
  batch.teacher.slice(0, 0, 2).fill_(kNan);
  batch.rows = at::remainder(at::arange(8 * micro, 8 * micro + 8, at::kLong), 20);
  batch.weights = at::ones({8}, type);
  batch.transform = at::arange(8) % 3;
  return batch;
}

struct Killed {};

// How a fit goes: where, in which arithmetic, with which checkpoint; the micro-batch whose asking
// kills it.
struct Way {
  torch::Device device;
  std::string checkpoint = "";
  int64_t killed = -1;
  at::ScalarType type = at::kDouble;
};

BatchStream stream_of(const Way& way) {
  BatchStream stream;
  stream.open = [way](int64_t first) {
    return [way, micro = first]() mutable {
      if (micro == way.killed) throw Killed();
      return drawn(micro++, way.type);
    };
  };
  stream.describe = [](const at::Tensor& rows) {
    return fmt::format("video_{}.mp4", rows[0].item<int64_t>());
  };
  return stream;
}

TrainingOptions everything(const std::string& optimizer) {
  TrainingOptions options;
  options.optimizer = optimizer;
  options.steps = 7;
  options.accumulate = 2;
  options.ema = 0.9;
  options.max_gradient_norm = 0.5;
  options.precision = "f32";
  options.checkpoint_every = 2;
  return options;
}

using MakeObjective = std::function<std::unique_ptr<Objective>(Net& net)>;
std::unique_ptr<Objective> supervised(Net&) { return std::make_unique<Supervised>(0.1); }

// What a fit leaves, on the CPU: the net's weights, then those beside it.
Tensors train(const TrainingOptions& options, const MakeObjective& objective_for, const Way& way) {
  TinyNet net(1, 6, way.type);
  net.to(way.device);
  const auto objective = objective_for(net);
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  const FitReport report =
      fit(net, options, *objective, stream_of(way), Random(1), way.checkpoint, progress);
  EXPECT_EQ(report.precision, way.device.is_cpu() ? "f32" : "f32 on hpu:0");
  Tensors left = state(net);
  if (objective->extra()) {
    for (const auto& row : state(*objective->extra())) left.push_back(row);
  }
  for (auto& [name, tensor] : left) {
    EXPECT_EQ(tensor.device(), way.device) << name;
    tensor = on_cpu(tensor);
  }
  return left;
}

void expect_alike(const Tensors& there, const Tensors& here) {
  ASSERT_EQ(there.size(), here.size());
  for (size_t i = 0; i < here.size(); ++i) {
    const auto& [name, tensor] = here[i];
    const double tolerance = tensor.scalar_type() == at::kFloat ? 1e-4 : 1e-9;
    EXPECT_TRUE(at::allclose(there[i].second, tensor, tolerance, tolerance)) << name;
  }
}

class FitOnDevice : public ::testing::TestWithParam<const char*> {};

TEST_P(FitOnDevice, EndsWithTheWeightsOfTheCpu) {
  const TrainingOptions options = everything(GetParam());
  const Tensors here = train(options, supervised, {torch::kCPU});
  expect_alike(train(options, supervised, {fake_device()}), here);
  const Tensors untrained = state(TinyNet(1, 6, at::kDouble));
  EXPECT_FALSE(at::allclose(here[0].second, untrained[0].second, 1e-3, 1e-3))
      << "something was learned";
}

TEST_P(FitOnDevice, ContinuesWhatAnotherDeviceBegan) {
  const TrainingOptions options = everything(GetParam());
  const Tensors whole = train(options, supervised, {torch::kCPU});
  const std::pair<torch::Device, torch::Device> orders[] = {{torch::kCPU, fake_device()},
                                                            {fake_device(), torch::kCPU}};
  for (const auto& [first, second] : orders) {
    const TemporaryFolder folder;
    const std::string checkpoint = folder / "c.safetensors";
    EXPECT_THROW(train(options, supervised, {first, checkpoint, /*killed=*/10}), Killed);
    ASSERT_TRUE(std::filesystem::exists(checkpoint));
    expect_alike(train(options, supervised, {second, checkpoint}), whole);
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, FitOnDevice, ::testing::Values("sgd", "adamw"),
                         [](const auto& info) { return std::string(info.param); });

TEST(OptimizerOnDevice, KeepsItsMomentsBesideTheParametersAndLoadsThemFromTheCpu) {
  TinyNet net(1, 6, at::kDouble);
  net.to(fake_device());
  Optimizer optimizer(net, nullptr, everything("adamw"));
  for (torch::Tensor parameter : optimizer.parameters())
    parameter.mutable_grad() = torch::ones_like(parameter);
  optimizer.step(0.1);
  Tensors here;
  for (const auto& [name, tensor] : optimizer.state()) {
    EXPECT_EQ(tensor.device(), fake_device()) << name;
    here.emplace_back(name, on_cpu(tensor));
  }
  EXPECT_EQ(here.size(), 3 * optimizer.parameters().size()) << "first, second and steps of each";
  Optimizer other(net, nullptr, everything("adamw"));
  other.load(here);
  for (const auto& [name, tensor] : other.state())
    EXPECT_EQ(tensor.device(), fake_device()) << name;
  EXPECT_EQ(checksum_of(other.state(), {}), checksum_of(here, {}));
}

TEST(DeviceFit, TrainsABackboneOfConvolutionsAsTheCpuDoes) {
  TrainingOptions options;
  options.steps = 3;
  options.precision = "f32";
  const auto trained = [&](const torch::Device& device) {
    const Model net = make<Backbone>("resnet3d", "depth: 10, width: 4")->build(3, Random(1));
    net->to(device);
    BatchStream stream = stream_of({device});
    stream.open = [](int64_t first) {
      return [micro = first]() mutable {
        Batch batch = drawn(micro++, at::kFloat);
        batch.clips = batch.clips.view({8, 1, 4, 1, 1}).expand({8, 3, 4, 16, 16}).contiguous();
        return batch;
      };
    };
    Supervised objective;
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    fit(*net, options, objective, stream, Random(1), "", progress);
    return on_cpu(net->head_weight());
  };
  const auto here = trained(torch::kCPU);
  EXPECT_TRUE(at::allclose(trained(fake_device()), here, 1e-2, 1e-4));
}

TEST(DeviceFit, NamesTheVideosOfABatchThatCannotBeLearned) {
  for (const torch::Device& device : {torch::Device(torch::kCPU), fake_device()}) {
    BatchStream stream = stream_of({device});
    stream.open = [](int64_t first) {
      return [micro = first]() mutable {
        Batch batch = drawn(micro++, at::kDouble);
        batch.clips.fill_(kNan);
        return batch;
      };
    };
    TinyNet net(1, 6, at::kDouble);
    net.to(device);
    Supervised objective;
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    const std::string said =
        error_of([&] { fit(net, everything("sgd"), objective, stream, Random(1), "", progress); });
    EXPECT_THAT(said, AllOf(StartsWith("training step 0: the loss is not finite"),
                            HasSubstr("; videos: video_0.mp4.")));
  }
}

// Losses of answers, of embeddings with a bank, of maps with a regressor; the teacher looks at the
// view.
class TaughtOnDevice : public ::testing::TestWithParam<const char*> {};

TEST_P(TaughtOnDevice, LearnsAsOnTheCpu) {
  const std::string options = std::string(GetParam()) == "hint" ? "map: hidden" : "";
  const MakeObjective taught = [&](Net& net) {
    const auto teacher = std::make_shared<TinyNet>(2, 5, at::kFloat);
    auto objective = std::make_unique<Taught>(make<DistillLoss>(GetParam(), options), 0.1, teacher);
    const auto even = at::full({1, 3}, 1.0 / 3);
    objective->prepare(net,
                       {at::zeros({1, 4}), even, at::zeros({1}, at::kLong), at::ones({1}), even},
                       /*samples=*/20, Random(3));
    EXPECT_EQ(device_of(*teacher), device_of(net));
    return objective;
  };
  const TrainingOptions training = everything("sgd");
  const Tensors here = train(training, taught, {torch::kCPU, "", -1, at::kFloat});
  expect_alike(train(training, taught, {fake_device(), "", -1, at::kFloat}), here);
}

INSTANTIATE_TEST_SUITE_P(Losses, TaughtOnDevice, ::testing::Values("kd", "crd", "hint", "rkd"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TaskAwareOnDevice, LearnsAsOnTheCpu) {
  const auto family = make<Augmentation>("task_aware", "of: [reverse, speed], weight: 0.5");
  Supervised inner;
  const MakeObjective aware = [&](Net& net) {
    return std::make_unique<TaskAware>(inner, *family, net, Random(4));
  };
  const TrainingOptions training = everything("adamw");
  const Tensors here = train(training, aware, {torch::kCPU, "", -1, at::kFloat});
  expect_alike(train(training, aware, {fake_device(), "", -1, at::kFloat}), here);
}

TEST(PrecisionOnDevice, IsFloat32UnlessBf16IsAskedForAndNeedsNoGate) {
  TinyNet net(1, 6, at::kFloat);
  net.to(fake_device());
  EXPECT_EQ(Precision(net, "auto").text(), "f32 on hpu:0");
  EXPECT_EQ(Precision(net, "auto").scope(), nullptr);
  Precision bf16(net, "bf16");
  bf16.prepare(at::zeros({2, 3, 4, 16, 16}));  // a gate would run the net on it and fail
  EXPECT_EQ(bf16.text(), "bf16 on hpu:0");
  {
    const auto scope = bf16.scope();
    EXPECT_TRUE(at::autocast::is_autocast_enabled(at::kHPU));
    EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kHPU));
}

TEST(TrainingOptionsDevice, IsANameThatIsCheckedWhereItIsRead) {
  TrainingOptions options;
  EXPECT_EQ(options.device, "auto");
  read_options(options, "{device: 'cuda:1'}", "r.yaml");
  EXPECT_EQ(options.device, "cuda:1");
  EXPECT_THAT(error_of([&] { read_options(options, "{device: gpu}", "r.yaml"); }),
              HasSubstr(": device: 'gpu' names no device; write auto, cpu, cuda, or cuda:1"));
}

}  // namespace
}  // namespace distal
