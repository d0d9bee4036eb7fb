// Plans of simulated paces: what is counted, and how often a network is measured. Nothing here
// depends on the clock.

#include "distal/study/plan.h"

#include <csignal>

#include <ATen/Parallel.h>

#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A second a step, nothing else.
Pace step_of_a_second(const Learner&, const InputOptions&, int64_t) { return {1, 0}; }

// Counts what is measured.
struct Measured {
  int64_t networks = 0;
  PaceOf pace_of = [this](const Learner&, const InputOptions&, int64_t) {
    ++networks;
    return Pace{1, 0};
  };
};

class PlanTest : public ::testing::Test {
 protected:
  double minutes(const std::string& yaml, const PaceOf& pace_of = step_of_a_second,
                 int64_t seeds = 1) {
    const std::string common = fmt::format(
        "seeds: {}\nstart: 4\ninput: {{size_px: 32, sampling: {{frames: 4}}}}\n", seeds);
    return plan(generated_study(folder_, common + yaml), quiet_, pace_of).minutes;
  }
  int64_t networks(const std::string& yaml) {
    Measured measured;
    minutes(yaml, measured.pace_of);
    return measured.networks;
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

TEST_F(PlanTest, CountsTheStepsOfEveryTraining) {
  const std::string student = "student: {model: {name: resnet3d, depth: 10, width: 4}, training: "
                              "{steps: 60, batch_size: 4}}\n";
  EXPECT_DOUBLE_EQ(minutes("rounds: 0\n" + student), 1);
  EXPECT_DOUBLE_EQ(minutes("rounds: 2\nbudget: 4\n" + student), 3);
  EXPECT_DOUBLE_EQ(minutes("rounds: 2\nbudget: 4\n" + student, step_of_a_second, 5), 15);
  EXPECT_DOUBLE_EQ(
      minutes("rounds: 2\nbudget: 4\nstrategy: random\narms: {a: {}, b: {}}\n" + student), 5)
      << "arms that begin alike share their first student";
  EXPECT_DOUBLE_EQ(minutes("rounds: 0\nstudent: {training: {steps: 60, accumulate: 3}}\n"), 3)
      << "a step of the optimiser is so many batches";
  const auto clip_of_a_second = [](const Learner&, const InputOptions&, int64_t) {
    return Pace{0, 1};
  };
  EXPECT_DOUBLE_EQ(minutes("rounds: 0\n", clip_of_a_second), 4 / 60.)
      << "four test clips are looked at";
}

TEST_F(PlanTest, CountsEveryNetworksPreTrainingAndNoStepsOfAProbe) {
  const std::string net =
      "model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4}";
  const std::string pretext =
      ", pretext: {mode: tasks, tasks: [rotation], training: {steps: 600, batch_size: 4}}";
  const auto of = [&](const std::string& student, const std::string& teacher,
                      const std::string& strategy) {
    return minutes(fmt::format("rounds: 1\nbudget: 4\nstrategy: {}\nstudent: {{{}}}\noracle: "
                               "{{kind: teacher}}\nteacher: {{train: {{csv: train.csv}}, {}}}",
                               strategy, net + student, net + teacher));
  };
  const double plain = of("", "", "margin");
  EXPECT_NEAR(of("", pretext, "margin") - plain, 10, 1e-9);
  EXPECT_NEAR(of(pretext, "", "margin") - plain, 10, 1e-9)
      << "both arms begin from the same weights";
  EXPECT_NEAR(of(pretext, "", "{name: ensemble, members: 20}") -
                  of("", "", "{name: ensemble, members: 20}"),
              200, 1e-9);
  EXPECT_DOUBLE_EQ(minutes("rounds: 0\nstudent: {probe: true, model: {name: resnet3d, depth: 10, "
                           "width: 4, freeze: [backbone]}}"),
                   0);
}

TEST_F(PlanTest, MeasuresEachDistinctNetworkOnce) {
  EXPECT_EQ(
      networks("rounds: 0\narms: {a: {}, b: {student: {training: {steps: 7}}}, c: {student: "
               "{training: {learning_rate: 0.5, ema: 0.9, accumulate: 2}}},\n"
               "  d: {student: {augment: {flip: 0.5}}}, e: {student: {training: {epochs: 3}}}}"),
      1);
  EXPECT_EQ(
      networks(
          "rounds: 1\nbudget: 4\nsweep: {pool: [12, 16, 20], rounds: [1, 2], answers: [4, 8]}\n"
          "arms: {a: {strategy: margin}, b: {strategy: margin, student: {augment: {flip: 0.5}}}, "
          "c: {}}"),
      1)
      << "36 arms";
  EXPECT_EQ(networks("rounds: 0\narms: {a: {}, b: {student: {model: {width: 4}}}, c: {student: "
                     "{model: {width: 4}, training: {batch_size: 2}}},\n"
                     "  d: {student: {model: {width: 4}, training: {precision: f32}}}, e: "
                     "{student: {model: {width: 4, freeze: [backbone]}}}}"),
            5);
}

TEST(Pace, IsMeasuredForWeightsOfAnyFileOnce) {
  Measured measured;
  const PaceOf pace_of = once_each(measured.pace_of);
  Learner learner;
  pace_of(learner, {}, 2);
  learner.model.init = "weights.safetensors";
  pace_of(learner, {}, 2);
  EXPECT_EQ(measured.networks, 1);
  InputOptions input;
  input.size_px = 33;
  pace_of(learner, input, 2);
  pace_of(learner, input, 3);
  EXPECT_EQ(measured.networks, 3);
}

TEST(Pace, OfARealNetworkIsATime) {
  at::set_num_threads(1);  // on a busy machine threads that wait for each other cost tenfold
  Learner learner;
  read_options(learner, "{model: {name: resnet3d, depth: 10, width: 4}, training: {batch_size: 2}}",
               "test");
  InputOptions input;
  input.size_px = 16;
  input.sampling.frames = 2;
  const Pace pace = measured_pace(learner, input, 2);
  EXPECT_GT(pace.step_s, 0);
  EXPECT_GT(pace.clip_s, 0);
}

// A network that is told to stop while it computes for the first time.
class Stopped final : public Net {
 public:
  torch::Tensor head(const torch::Tensor& embedding) override { return embedding; }
  int64_t embedding_size() const override { return 2; }
  Output forward(const torch::Tensor& clips) override {
    ++calls;
    std::raise(SIGTERM);
    const torch::Tensor one = torch::ones({clips.size(0), 2}).requires_grad_();
    return {one * 1, one};
  }
  static inline int calls = 0;
};

class StoppedBackbone final : public Backbone {
 public:
  Model build(int64_t, Random) const override { return std::make_shared<Stopped>(); }
};

[[noreturn]] void measure_until_stopped(bool at_once) {
  catch_signals();
  Learner learner;
  learner.training.precision = "f32";
  learner.model.backbone.method = std::make_shared<StoppedBackbone>();
  try {
    const auto guard = at_once ? std::make_unique<EndAtOnce>() : nullptr;
    measured_pace(learner, {}, 2);
  } catch (const Interrupted&) {
    std::_Exit(Stopped::calls);  // how often the network was called in all
  }
  std::_Exit(100);
}

TEST(PaceDeathTest, ASignalIsHeardAfterTheCallItCameIn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(measure_until_stopped(false), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(measure_until_stopped(true), ::testing::ExitedWithCode(143), "stopped by signal 15")
      << "or in it";
}

TEST(Pace, ABusyMachineIsNamed) {
  EXPECT_THAT(busy_sentence(0.2, 2), IsEmpty());
  EXPECT_THAT(busy_sentence(5.25, 2),
              AllOf(HasSubstr("load average 5.2"), HasSubstr("2 processors")));
  EXPECT_THAT(busy_sentence(3, 16), IsEmpty());
}

}  // namespace
}  // namespace distal
