// Ranks that train together, as two threads: they learn what one rank learns of the whole batches.

#include "distal/train/collective.h"

#include <barrier>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/progress.h"
#include "distal/base/testing.h"
#include "distal/data/order.h"
#include "distal/models/classifier.h"
#include "distal/models/layers.h"
#include "distal/models/weights.h"
#include "distal/train/fit.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

// Where the threads of a test meet. Each leaves what it has, all look at everything, and go on.
class Meeting {
 public:
  explicit Meeting(int64_t ranks) : barrier_(ranks), tensors_(ranks), counts_(ranks) {}

  std::vector<at::Tensor> exchange(int64_t rank, const at::Tensor& tensor) {
    tensors_[rank] = tensor.clone();
    barrier_.arrive_and_wait();
    const std::vector<at::Tensor> all = tensors_;
    barrier_.arrive_and_wait();
    return all;
  }
  std::vector<int64_t> exchange(int64_t rank, int64_t count) {
    counts_[rank] = count;
    barrier_.arrive_and_wait();
    const std::vector<int64_t> all = counts_;
    barrier_.arrive_and_wait();
    return all;
  }
  int64_t size() const { return std::ssize(counts_); }

 private:
  std::barrier<> barrier_;
  std::vector<at::Tensor> tensors_;
  std::vector<int64_t> counts_;
};

class ThreadRank final : public Collective {
 public:
  ThreadRank(Meeting& meeting, int64_t rank) : meeting_(meeting), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return meeting_.size(); }
  void all_reduce_mean(at::Tensor& flat) override {
    ++reductions;
    flat.copy_(at::stack(meeting_.exchange(rank_, flat)).mean(0));
  }
  void broadcast(at::Tensor& tensor) override { tensor.copy_(meeting_.exchange(rank_, tensor)[0]); }
  std::vector<int64_t> all_gather(int64_t count) override {
    return meeting_.exchange(rank_, count);
  }

  int64_t reductions = 0;

 private:
  Meeting& meeting_;
  int64_t rank_;
};

// Calls `work` once for each rank, each in a thread of its own; the first thread's error is thrown
// on.
void together(int64_t ranks, const std::function<void(Collective& collective)>& work) {
  Meeting meeting(ranks);
  std::vector<std::exception_ptr> errors(ranks);
  std::vector<std::jthread> threads;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadRank collective(meeting, rank);
      try {
        work(collective);
      } catch (...) {
        errors[rank] = std::current_exception();
      }
    });
  }
  threads.clear();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

// Features [N, 4] to three classes, float64, without what depends on the batch or draws.
class TinyNet final : public Classifier {
 public:
  explicit TinyNet(uint64_t seed)
      : hidden_(register_module("hidden", std::make_shared<Linear>(4, 6))) {
    add_head(6, 3, /*dropout=*/0);
    initialise(*this, Random(seed));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.mul_(50);
    }
    to(torch::kFloat64);
  }
  Output forward(const at::Tensor& clips) override {
    const auto embedding = hidden_->forward(clips).tanh();
    return {head(embedding), embedding};
  }

 private:
  std::shared_ptr<Linear> hidden_;
};

constexpr int64_t kSamples = 23;
constexpr int64_t kBatch = 5;

// Twenty-three clips, in the order that training batches have, of which a rank reads its share.
BatchStream stream_of(const Collective& collective) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{1});
  const auto clips = at::randn({kSamples, 4}, generator, at::TensorOptions(at::kDouble));
  const auto labels =
      at::one_hot(at::randint(3, {kSamples}, generator, at::TensorOptions(at::kLong)), 3)
          .to(at::kDouble);
  const auto order = std::make_shared<SampleOrder>(kSamples, Random(3));
  const Share share{collective.rank(), collective.size()};
  BatchStream stream;
  stream.open = [=](int64_t first) {
    return [=, micro = first]() mutable {
      std::vector<int64_t> rows;
      for (int64_t row = 0; row < share.rows(kBatch); ++row)
        rows.push_back(order->at(share.position(micro, kBatch, row), 0));
      ++micro;
      const auto picked = at::tensor(rows, at::kLong);
      Batch batch;
      batch.clips = clips.index_select(0, picked);
      batch.targets = labels.index_select(0, picked);
      batch.teacher = at::full_like(batch.targets, std::nan(""));
      batch.rows = picked;
      batch.weights = at::ones({picked.size(0)}, at::kDouble);
      return batch;
    };
  };
  stream.describe = [](const at::Tensor&) { return std::string("clips"); };
  return stream;
}

// Supervision that notes what it lost and of how many clips; with a scale beside the net that is
// used only in batches with clip 0, so that at most one rank has a gradient for it.
class Noting final : public Objective {
 public:
  Noting() { parts_->register_parameter("scale", at::ones({2}, at::kDouble)); }
  Losses losses(Net& net, const Batch& batch) override {
    const auto label = Supervised(0.1).losses(net, batch)[0].second;
    noted.emplace_back(label.item<double>(), batch.rows.size(0));
    const auto first = batch.rows.eq(0).to(at::kDouble);
    if (first.sum().item<double>() == 0) return {{"label", label}};
    return {{"label", label},
            {"scale", (first.unsqueeze(1) * parts_->parameters()[0].square()).sum(1).mean()}};
  }
  torch::nn::Module* extra() override { return parts_.get(); }
  std::vector<std::pair<double, int64_t>> noted;

 private:
  struct Parts final : torch::nn::Module {};
  std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
};

struct Trained {
  std::vector<std::pair<double, int64_t>> losses;  // of each micro-batch, and its clips
  Tensors weights;
};

TrainingOptions options_of(const std::string& optimizer, int64_t accumulate) {
  TrainingOptions options;
  options.steps = 20;
  options.optimizer = optimizer;
  options.accumulate = accumulate;
  options.max_gradient_norm = 0.7;
  options.ema = 0.9;
  options.precision = "f32";
  return options;
}

Trained train(const TrainingOptions& options, Collective& collective, uint64_t seed = 1,
              const std::string& checkpoint = "") {
  TinyNet net(seed);
  Noting objective;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  fit(net, options, objective, stream_of(collective), Random(1), checkpoint, progress, collective);
  Trained trained{objective.noted, state(net)};
  for (const auto& row : state(*objective.extra())) trained.weights.push_back(row);
  return trained;
}

std::vector<Trained> train_together(const TrainingOptions& options, int64_t ranks) {
  std::vector<Trained> all(ranks);
  together(ranks, [&](Collective& collective) {
    const auto rank = static_cast<uint64_t>(collective.rank());
    all[rank] = train(options, collective, /*seed=*/1 + rank);  // what rank 0 begins with counts
  });
  return all;
}

struct Setting {
  const char* optimizer;
  int64_t accumulate, ranks;
};

class Ranks : public ::testing::TestWithParam<Setting> {};

TEST_P(Ranks, LoseAndLearnWhatOneRankDoes) {
  const auto [optimizer, accumulate, ranks] = GetParam();
  const TrainingOptions options = options_of(optimizer, accumulate);
  const Trained alone = train(options, single_rank());
  const std::vector<Trained> all = train_together(options, ranks);
  for (size_t micro = 0; micro < alone.losses.size(); ++micro) {
    double sum = 0;
    int64_t clips = 0;
    for (const Trained& rank : all) {
      const auto [loss, count] = rank.losses.at(micro);
      sum += loss * static_cast<double>(count);
      clips += count;
    }
    ASSERT_EQ(clips, kBatch);
    EXPECT_NEAR(sum / static_cast<double>(clips), alone.losses[micro].first, 1e-12) << micro;
  }
  EXPECT_FALSE(at::allclose(alone.weights[0].second, state(TinyNet(1))[0].second, 1e-3, 1e-3))
      << "something was learned";
  for (const Trained& rank : all) {
    ASSERT_EQ(rank.weights.size(), alone.weights.size());
    for (size_t i = 0; i < alone.weights.size(); ++i) {
      const auto& [name, tensor] = alone.weights[i];
      EXPECT_LT((rank.weights[i].second - tensor).abs().max().item<double>(), 1e-12) << name;
      EXPECT_TRUE(at::equal(rank.weights[i].second, all[0].weights[i].second)) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, Ranks,
                         ::testing::Values(Setting{"sgd", 1, 2}, Setting{"adamw", 1, 2},
                                           Setting{"sgd", 3, 2}, Setting{"sgd", 1, 3}),
                         [](const auto& info) {
                           return fmt::format("{}_{}_{}", info.param.optimizer,
                                              info.param.accumulate, info.param.ranks);
                         });

TEST(Collective, OneRankIsByItself) {
  Collective& alone = single_rank();
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
  at::Tensor numbers = at::arange(3, at::kDouble);
  alone.all_reduce_mean(numbers);
  alone.broadcast(numbers);
  EXPECT_TRUE(at::equal(numbers, at::arange(3, at::kDouble)));
  EXPECT_THAT(alone.all_gather(7), ElementsAre(7));
}

TEST(AverageGradients, WeighsRanksByTheirClipsInOneReduction) {
  together(2, [](Collective& collective) {
    const auto gradient = [](at::Tensor& parameter, double value) {
      parameter.mutable_grad() = at::full_like(parameter, value);
    };
    std::vector<at::Tensor> parameters;
    for (int i = 0; i < 3; ++i)
      parameters.push_back(at::zeros({2, 2}, at::kDouble).requires_grad_());
    const bool first = collective.rank() == 0;
    gradient(parameters[0], first ? 1 : 4);
    if (first) gradient(parameters[1], 3);
    average_gradients(collective, parameters, first ? 2 : 1);
    EXPECT_NEAR(parameters[0].grad()[1][1].item<double>(), 2, 1e-15);  // (2 x 1 + 1 x 4) / 3
    EXPECT_NEAR(parameters[1].grad()[0][1].item<double>(), 2, 1e-15);  // (2 x 3 + 1 x 0) / 3
    EXPECT_FALSE(parameters[2].grad().defined());
    EXPECT_EQ(dynamic_cast<ThreadRank&>(collective).reductions, 1);
  });
}

TEST(AverageGradients, LeavesOneRanksGradientsUntouched) {
  auto parameter = at::zeros({2}, at::kDouble).requires_grad_();
  const auto gradient = at::ones({2}, at::kDouble);
  parameter.mutable_grad() = gradient;
  average_gradients(single_rank(), {parameter}, 5);
  EXPECT_TRUE(parameter.grad().is_same(gradient));
}

TEST(RanksTogether, ContinueFromTheCheckpointThatTheFirstWrites) {
  const TemporaryFolder folder;
  const std::string checkpoint = folder / "c.safetensors";
  TrainingOptions options = options_of("sgd", 1);
  options.checkpoint_every = 8;
  const std::vector<Trained> whole = train_together(options, 2);
  const auto run = [&](std::vector<Trained>& all) {
    together(2, [&](Collective& collective) {
      all[collective.rank()] = train(options, collective, 1, checkpoint);
    });
  };
  std::vector<Trained> begun(2);
  std::vector<Trained> continued(2);
  run(begun);
  ASSERT_TRUE(std::filesystem::exists(checkpoint));
  run(continued);
  EXPECT_EQ(continued[1].losses.size(), 4u) << "it went on from step 16 of 20";
  for (size_t i = 0; i < whole[0].weights.size(); ++i) {
    EXPECT_TRUE(at::equal(continued[1].weights[i].second, whole[0].weights[i].second))
        << whole[0].weights[i].first;
  }
}

TEST(RanksTogether, RefuseToGoOnFromDifferentSteps) {
  const auto begin = [] {
    together(
        2, [](Collective& collective) { begin_together(collective, 10 * collective.rank(), {}); });
  };
  EXPECT_THAT(error_of(begin), HasSubstr("one rank goes on from step 0, another from step 10; let "
                                         "all ranks write to one shared folder"));
}

}  // namespace
}  // namespace distal
