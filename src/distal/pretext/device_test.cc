// Pre-training on a device whose memory the CPU may not read: every task and every contrastive
// learner.

#include "distal/models/device.h"
#include "distal/base/catalogue.h"
#include "distal/base/progress.h"
#include "distal/pretext/task.h"
#include "distal/pretext/testing.h"
#include "support/fake_device.h"

namespace distal {
namespace {

struct Trained {
  std::vector<double> losses;  // each step's parts
  std::vector<std::pair<std::string, torch::Tensor>>
      weights;  // of the net and of what is trained beside it, on the CPU
};

// Notes what an objective loses.
class Noting final : public Objective {
 public:
  Noting(Taco& inner, std::vector<double>& losses) : inner_(inner), losses_(losses) {}
  Losses losses(Net& net, const Batch& batch) override {
    const Losses all = inner_.losses(net, batch);
    for (const auto& [name, part] : all) losses_.push_back(part.item<double>());
    return all;
  }
  torch::nn::Module* extra() override { return inner_.extra(); }
  void stepped(Net& net, int64_t step, int64_t steps) override { inner_.stepped(net, step, steps); }

 private:
  Taco& inner_;
  std::vector<double>& losses_;
};

// Float64, in which devices that add in another order end alike. Module::to would change whole
// numbers too.
void make_exact(const torch::nn::Module& module) {
  for (const auto& [name, tensor] : state(module)) {
    torch::Tensor held = tensor;
    if (held.is_floating_point()) held.set_data(held.to(torch::kFloat64));
  }
}

Batch exact_views(int64_t frames, int64_t micro) {
  Batch views =
      views_of(6, frames, Random(5).stream("views", static_cast<uint64_t>(micro)), 6 * (micro % 3));
  views.clips = views.clips.to(torch::kFloat64);
  views.second = views.second.to(torch::kFloat64);
  return views;
}

Trained train(const std::string& yaml, const torch::Device& device) {
  Trained trained;
  const Model net = small_net();
  net->to(device);
  Taco taco = taco_for(yaml, *net);
  make_exact(*net);
  make_exact(*taco.extra());
  Noting noting(taco, trained.losses);
  TrainingOptions training;
  training.steps = 3;
  training.precision = "f32";
  const int64_t frames = pretext_options(yaml).view_frames(kFrames);
  BatchStream stream;
  stream.open = [&](int64_t first) {
    return [&, micro = first]() mutable {
      const Batch views = exact_views(frames, micro);
      return taco.prepare(views, Random(6).stream("tasks", static_cast<uint64_t>(micro++)));
    };
  };
  stream.describe = [](const torch::Tensor&) { return std::string("squares"); };
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  fit(*net, training, noting, stream, Random(1), "", progress);
  for (const torch::nn::Module* module :
       {static_cast<torch::nn::Module*>(net.get()), taco.extra()}) {
    for (const auto& [name, tensor] : state(*module)) {
      EXPECT_EQ(tensor.device(), device) << name;
      trained.weights.emplace_back(name, on_cpu(tensor));
    }
  }
  return trained;
}

void expect_alike(const std::string& yaml) {
  const Trained here = train(yaml, torch::kCPU);
  const Trained there = train(yaml, fake_device());
  ASSERT_FALSE(here.losses.empty());
  ASSERT_EQ(there.losses.size(), here.losses.size());
  for (size_t i = 0; i < here.losses.size(); ++i)
    EXPECT_NEAR(there.losses[i], here.losses[i], 1e-9 * (1 + here.losses[i]));
  ASSERT_EQ(there.weights.size(), here.weights.size());
  for (size_t i = 0; i < here.weights.size(); ++i) {
    const auto& [name, tensor] = here.weights[i];
    EXPECT_TRUE(at::allclose(there.weights[i].second, tensor, 1e-7, 1e-9)) << name;
  }
}

class EveryTaskOnDevice : public ::testing::TestWithParam<std::string> {};
TEST_P(EveryTaskOnDevice, IsLearnedAsOnTheCpu) {
  expect_alike(fmt::format("mode: tasks, tasks: [{}]", GetParam()));
}

class EveryContrastOnDevice : public ::testing::TestWithParam<std::string> {};
TEST_P(EveryContrastOnDevice, LearnsAsOnTheCpu) {
  expect_alike(fmt::format("contrast: {}, tasks: [reverse, rotation]", GetParam()));
}
TEST_P(EveryContrastOnDevice, LearnsAsOnTheCpuWhereEachClipHasEveryTask) {
  expect_alike(fmt::format("contrast: {}, tasks: [reverse, rotation], draw: all, key: transformed",
                           GetParam()));
}
TEST_P(EveryContrastOnDevice, LearnsAsOnTheCpuWithoutTasks) {
  expect_alike(fmt::format("mode: contrast, contrast: {}", GetParam()));
}

template <class Family>
std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<Family>()) all.push_back(row.name);
  return all;
}
const auto kName = [](const auto& info) { return info.param; };
INSTANTIATE_TEST_SUITE_P(Tasks, EveryTaskOnDevice, ::testing::ValuesIn(names<PretextTask>()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Contrasts, EveryContrastOnDevice, ::testing::ValuesIn(names<Contrast>()),
                         kName);

}  // namespace
}  // namespace distal
