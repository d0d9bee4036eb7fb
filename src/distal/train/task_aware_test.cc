// A head beside an objective: its loss by hand, one pass of the network, and what is trained and
// kept.

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/augmentation.h"
#include "distal/data/testing.h"
#include "distal/models/classifier.h"
#include "distal/models/layers.h"
#include "distal/models/weights.h"
#include "distal/train/task_aware.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Features [N, 4] to logits [N, 2]; counts its passes.
class Counting final : public Classifier {
 public:
  Counting() : hidden_(register_module("hidden", std::make_shared<Linear>(4, 5))) {
    add_head(5, 2, 0);
    initialise(*this, Random(2));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.mul_(50);
    }
  }
  Output forward(const at::Tensor& clips) override {
    ++passes;
    const auto embedding = hidden_->forward(clips).tanh();
    return {head(embedding), embedding};
  }
  int passes = 0;

 private:
  std::shared_ptr<Linear> hidden_;
};

// Supervision with a scale of its own, as losses have regressors.
class Scaled final : public Objective {
 public:
  Scaled() { parts_->register_parameter("scale", at::ones({1})); }
  Losses losses(Net& net, const Batch& batch) override {
    return {
        {"label", parts_->parameters()[0].squeeze() * Supervised().losses(net, batch)[0].second}};
  }
  torch::nn::Module* extra() override { return parts_.get(); }
  void starting(int64_t step, int64_t) override { started = step; }
  void stepped(Net&, int64_t step, int64_t) override { done = step; }
  int64_t started = -1;
  int64_t done = -1;

 private:
  struct Parts final : torch::nn::Module {};
  std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
};

Batch example(int64_t first = 0) {
  Batch batch;
  batch.clips = at::arange(24, at::kFloat).view({6, 4}).sin() + static_cast<double>(first) / 10;
  batch.targets = at::one_hot(at::arange(6) % 2, 2).to(at::kFloat);
  batch.teacher = at::full_like(batch.targets, std::numeric_limits<float>::quiet_NaN());
  batch.rows = at::arange(6);
  batch.weights = at::ones({6});
  batch.transform = at::arange(6) % 3;
  return batch;
}

const std::shared_ptr<const Augmentation> kFamily =
    make<Augmentation>("task_aware", "of: [reverse, speed], weight: 0.5");

std::vector<std::string> names_of(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state(module)) names.push_back(name);
  return names;
}

TEST(TaskAware, AddsTheCrossEntropyOfItsHeadWithoutAnotherPass) {
  Counting net;
  Supervised inner;
  TaskAware objective(inner, *kFamily, net, Random(1));
  const Batch batch = example();
  const Losses all = objective.losses(net, batch);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(net.passes, 1);
  EXPECT_EQ(all[1].first, "transform");
  EXPECT_TRUE(at::allclose(all[0].second, inner.losses(net, batch)[0].second));
  const auto head = objective.extra()->named_parameters();
  const auto logits =
      net.forward(batch.clips).embedding.mm(head["head.weight"].t()) + head["head.bias"];
  const auto by_hand = -0.5 * logits.log_softmax(1).gather(1, batch.transform.unsqueeze(1)).mean();
  EXPECT_NEAR(all[1].second.item<double>(), by_hand.item<double>(), 1e-6);
  EXPECT_NEAR(all[1].second.item<double>(), 0.5 * std::log(3), 0.02)
      << "it begins with nothing to say";
  all[1].second.backward();
  EXPECT_GT(net.named_parameters()["hidden.weight"].grad().abs().sum().item<double>(), 0)
      << "the features learn to tell";
}

TEST(TaskAware, KeepsWhatTheObjectiveTrains) {
  Counting net;
  Scaled inner;
  TaskAware objective(inner, *kFamily, net, Random(1));
  EXPECT_THAT(names_of(*objective.extra()), ElementsAre("inner.scale", "head.weight", "head.bias"));
  objective.starting(3, 9);
  objective.stepped(net, 4, 9);
  EXPECT_EQ(inner.started, 3);
  EXPECT_EQ(inner.done, 4);
  Supervised plain;
  TaskAware alone(plain, *kFamily, net, Random(1));
  EXPECT_THAT(names_of(*alone.extra()), ElementsAre("head.weight", "head.bias"));
  EXPECT_TRUE(state(*alone.extra())[0].second.equal(state(*objective.extra())[1].second))
      << "the same random, the same head";
}

TEST(TaskAware, IsTrainedByTheLoopAndContinuesFromItsCheckpoint) {
  const TemporaryFolder folder;
  TrainingOptions options;
  options.steps = 8;
  options.precision = "f32";
  options.learning_rate = 0.1;
  options.checkpoint_every = 5;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  const auto stream = [](int64_t end) {
    BatchStream stream;
    stream.open = [end](int64_t first) {
      return [end, first]() mutable {
        if (first == end) fail("the end of this stream");
        return example(first++);
      };
    };
    stream.describe = [](const at::Tensor&) { return "none"; };
    return stream;
  };
  struct Trained {
    Counting net;
    Supervised inner;
    TaskAware objective{inner, *kFamily, net, Random(1)};
  };
  Trained whole, killed, resumed;
  const std::string checkpoint = folder / "checkpoint";
  fit(whole.net, options, whole.objective, stream(8), Random(4), "", progress);
  EXPECT_THAT(error_of([&] {
                fit(killed.net, options, killed.objective, stream(6), Random(4), checkpoint,
                    progress);
              }),
              HasSubstr("the end of this stream"));
  const FitReport report =
      fit(resumed.net, options, resumed.objective, stream(8), Random(4), checkpoint, progress);
  EXPECT_EQ(report.resumed_from, 5);
  const Tensors a = state(*whole.objective.extra());
  const Tensors b = state(*resumed.objective.extra());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].second.equal(b[i].second)) << a[i].first;
  EXPECT_TRUE(state(whole.net)[0].second.equal(state(resumed.net)[0].second));
  EXPECT_GT(a[1].second.abs().sum().item<double>(), 0) << "the head has learned";
}

}  // namespace
}  // namespace distal
