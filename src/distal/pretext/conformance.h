#pragma once
// The conformance suites of pretext tasks and of contrastive learners. A GoogleTest program can run
// them on other tasks and learners. In one source file:
//
//   #include <distal/pretext/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryTask, ::testing::Values("mine"));
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryContrast, ::testing::Values("my_own"));
//   }
//
// The parameters are names in the catalogues. A program that instantiates only one suite declares
// GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST for the other. Load plugins before InitGoogleTest.

#include <ATen/CPUGeneratorImpl.h>

#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/models/layers.h"
#include "distal/pretext/contrast.h"
#include "distal/pretext/task.h"
#include "distal/pretext/testing.h"

namespace distal {
namespace pretext_suite {

// Every parameter but the classifier, which pre-training does not use.
inline void expect_gradient_in_backbone(const Net& net) {
  for (const auto& row : net.named_parameters()) {
    if (row.key().starts_with("fc.")) continue;
    ASSERT_TRUE(row.value().grad().defined()) << row.key();
    EXPECT_TRUE(row.value().grad().isfinite().all().item<bool>()) << row.key();
    EXPECT_GT(row.value().grad().abs().max().item<float>(), 0) << row.key();
  }
}

class EveryTask : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const PretextTask> task_ = make<PretextTask>(GetParam());
};

TEST_P(EveryTask, MakesClipsOfAsManyFramesAsTheNetworkSees) {
  for (const int64_t frames : {4, 7, 8}) {
    Random random(1);
    const int64_t needed = task_->view_frames(frames);
    EXPECT_GE(needed, frames);
    for (const int64_t given : {needed, needed + 5}) {
      const auto views = moving_squares(9, given, Random(2));
      const auto labels = task_->draw(9, frames, random);
      ASSERT_EQ(labels.sizes().vec(), std::vector<int64_t>{9});
      EXPECT_EQ(labels.scalar_type(), torch::kFloat32);
      const auto clips = task_->transform(views, labels, frames, random);
      EXPECT_EQ(clips.sizes().vec(),
                (std::vector<int64_t>{9 * task_->clips(), 3, frames, kSize, kSize}));
      EXPECT_EQ(clips.scalar_type(), torch::kFloat32);
      EXPECT_TRUE(clips.isfinite().all().item<bool>());
    }
  }
}

TEST_P(EveryTask, DrawsAllItsLabelsAndTheSameOnesForTheSameRandom) {
  Random first(5);
  Random second(5);
  Random third(6);
  const auto labels = task_->draw(400, kFrames, first);
  EXPECT_TRUE(labels.equal(task_->draw(400, kFrames, second)));
  EXPECT_FALSE(labels.equal(task_->draw(400, kFrames, third)));
  const auto values = std::get<0>(at::_unique(labels));
  EXPECT_GE(labels.min().item<double>(), 0);
  if (task_->outputs() > 1) {
    EXPECT_EQ(values.size(0), task_->outputs());
    EXPECT_EQ(labels.max().item<double>(), static_cast<double>(task_->outputs() - 1));
  }
  const auto views = moving_squares(400, task_->view_frames(kFrames), Random(2));
  EXPECT_TRUE(task_->transform(views, labels, kFrames, first)
                  .equal(task_->transform(views, labels, kFrames, second)));
}

TEST_P(EveryTask, LeavesItsViewsAsTheyWere) {
  Random random(1);
  const auto views = moving_squares(8, task_->view_frames(kFrames), Random(2));
  const auto before = views.clone();
  task_->transform(views, task_->draw(8, kFrames, random), kFrames, random);
  EXPECT_TRUE(views.equal(before));
}

TEST_P(EveryTask, LosesWhatChanceLosesOnRandomFeatures) {
  Random random(1);
  const auto head = task_head(32 * task_->clips(), task_->outputs(), Random(4));
  const auto labels = task_->draw(4000, kFrames, random);
  const torch::NoGradGuard no_grad;
  const auto loss = task_->loss(head->forward(at::randn({4000, 32 * task_->clips()})), labels);
  ASSERT_EQ(loss.sizes().vec(), std::vector<int64_t>{4000});
  EXPECT_NEAR(loss.mean().item<double>() / task_->chance(kFrames), 1, 0.05);
  if (task_->outputs() > 1) {
    EXPECT_NEAR(task_->chance(kFrames), std::log(static_cast<double>(task_->outputs())), 1e-9);
  }
}

TEST_P(EveryTask, ReachesTheBackboneWithItsGradient) {
  const auto net = small_net();
  net->train();
  Taco taco = taco_for(fmt::format("mode: tasks, tasks: [{}]", GetParam()), *net);
  const Batch views = views_of(6, task_->view_frames(kFrames), Random(7));
  total(taco.losses(*net, taco.prepare(views, Random(1)))).backward();
  expect_gradient_in_backbone(*net);
}

class Recorded final : public Objective {
 public:
  explicit Recorded(Objective& inner) : inner_(inner) {}
  Losses losses(Net& net, const Batch& batch) override {
    Losses losses = inner_.losses(net, batch);
    values.push_back(total(losses).item<double>());
    return losses;
  }
  torch::nn::Module* extra() override { return inner_.extra(); }
  double mean(size_t first, size_t count) const {
    double sum = 0;
    for (size_t i = first; i < first + count; ++i) sum += values.at(i);
    return sum / static_cast<double>(count);
  }
  std::vector<double> values;

 private:
  Objective& inner_;
};

// New squares at every step, so a falling loss is not memorisation.
TEST_P(EveryTask, FallsWithinThirtySteps) {
  const auto net = small_net();
  Taco taco = taco_for(fmt::format("mode: tasks, tasks: [{}]", GetParam()), *net);
  Recorded recorded(taco);
  TrainingOptions training;
  training.steps = 30;
  training.optimizer = "adamw";
  training.learning_rate = 0.01;
  training.weight_decay = 1e-4;
  training.precision = "f32";
  BatchStream stream;
  stream.open = [&](int64_t first) {
    return [&, micro = static_cast<uint64_t>(first)]() mutable {
      const Batch views =
          views_of(24, task_->view_frames(kFrames), Random(11).stream("views", micro));
      return taco.prepare(views, Random(12).stream("tasks", micro++));
    };
  };
  stream.describe = [](const torch::Tensor&) { return std::string("squares"); };
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  fit(*net, training, recorded, stream, Random(1), "", progress);
  EXPECT_LT(recorded.mean(25, 5), 0.75 * task_->chance(kFrames))
      << "first five " << recorded.mean(0, 5);
}

class EveryContrast : public ::testing::TestWithParam<std::string> {
 protected:
  static ContrastBatch batch(uint64_t seed) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    ContrastBatch batch;
    batch.queries = at::randn({5, 8}, generator, at::TensorOptions(at::kFloat)).requires_grad_();
    batch.keys = at::randn({6, 8}, generator, at::TensorOptions(at::kFloat));
    batch.positive = at::tensor({0, 2, 3, 4, 5}, at::kLong);
    batch.clips = at::arange(6, at::kLong) + static_cast<int64_t>(6 * seed);
    return batch;
  }
  std::shared_ptr<const Contrast> contrast_ = make<Contrast>(GetParam());
  std::shared_ptr<ContrastBranch> branch_ = contrast_->branch({8, 16, 64}, Random(1));
};

TEST_P(EveryContrast, GivesEachQueryAFiniteLossWithAGradient) {
  branch_->loss(batch(1));
  const ContrastBatch second = batch(2);
  const auto loss = branch_->loss(second);
  ASSERT_EQ(loss.sizes().vec(), std::vector<int64_t>{5});
  EXPECT_TRUE(loss.isfinite().all().item<bool>());
  loss.sum().backward();
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_GT(second.queries.grad()[i].abs().max().item<float>(), 0) << i;
}

TEST_P(EveryContrast, LosesLessWhereTheQueryMeetsItsKey) {
  branch_->loss(batch(1));
  ContrastBatch met = batch(2);
  const double apart = branch_->loss(met).mean().item<double>();
  if (GetParam() == "byol") GTEST_SKIP() << "its predictor decides what meets a key";
  met.queries = met.keys.index_select(0, met.positive);
  EXPECT_LT(branch_->loss(met).mean().item<double>(), apart);
}

TEST_P(EveryContrast, DoesNotLookAtLengths) {
  if (GetParam() == "byol") GTEST_SKIP() << "its predictor does, on the query's side";
  const auto other = contrast_->branch({8, 16, 64}, Random(1));
  ContrastBatch longer = batch(1);
  longer.queries = longer.queries * 3;
  longer.keys = longer.keys * 0.2;
  EXPECT_LT((branch_->loss(batch(1)) - other->loss(longer)).abs().max().item<double>(), 1e-5);
}

TEST_P(EveryContrast, ReachesTheBackboneInEveryModeAndVariant) {
  for (const char* mode : {"both", "augment", "contrast"}) {
    for (const char* draw : {"one", "all"}) {
      for (const char* key : {"plain", "transformed"}) {
        SCOPED_TRACE(fmt::format("{} {} {}", mode, draw, key));
        const auto net = small_net();
        net->train();
        Taco taco = taco_for(
            fmt::format(
                "mode: {}, draw: {}, key: {}, contrast: {}, tasks: [reverse, shuffle, overlap]",
                mode, draw, key, GetParam()),
            *net);
        for (int64_t step = 0; step < 2; ++step) {
          const Batch prepared =
              taco.prepare(views_of(5, 8, Random(7).stream("views", step), 5 * step), Random(1));
          const Losses losses = taco.losses(*net, prepared);
          EXPECT_EQ(losses.size(), std::string(mode) == "both" ? 4U : 1U);
          for (const auto& [name, loss] : losses) EXPECT_TRUE(loss.isfinite().item<bool>()) << name;
          for (auto& parameter : net->parameters()) parameter.mutable_grad().reset();
          total(losses).backward();
          taco.stepped(*net, step + 1, 2);
        }
        expect_gradient_in_backbone(*net);
      }
    }
  }
}

}  // namespace pretext_suite

using pretext_suite::EveryContrast;
using pretext_suite::EveryTask;

}  // namespace distal
