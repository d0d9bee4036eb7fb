#include "distal/study/split.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/progress.h"

namespace distal {
namespace {

using ::testing::ElementsAre;

TEST(ProcessorSplits, AreOneTrialOnAllThreadsAndAsManyAsThereAreThreads) {
  EXPECT_THAT(possible_splits(4, 2), ElementsAre(ProcessorSplit{1, 2}, ProcessorSplit{2, 1}));
  EXPECT_THAT(possible_splits(4, 16),
              ElementsAre(ProcessorSplit{1, 16}, ProcessorSplit{4, 4}, ProcessorSplit{4, 1}));
  EXPECT_THAT(possible_splits(1, 2), ElementsAre(ProcessorSplit{1, 2}, ProcessorSplit{1, 1}));
  EXPECT_THAT(possible_splits(4, 1), ElementsAre(ProcessorSplit{1, 1}));
}

// Simulated paces: the seconds of a step in each split.
TEST(ProcessorSplits, TheQuickestHasTheFirstEnd) {
  const auto splits = possible_splits(4, 2);
  EXPECT_EQ(quickest(splits, {{4, {0.014, 0.021}}}), (ProcessorSplit{2, 1}))
      << "two steps in 21 ms against one in 14";
  EXPECT_EQ(quickest(splits, {{4, {0.010, 0.021}}}), (ProcessorSplit{1, 2}));
  EXPECT_EQ(quickest(splits, {{4, {0.010, 0.0195}}}), (ProcessorSplit{1, 2}))
      << "a fortieth is not worth it";
  EXPECT_EQ(quickest(splits, {{3, {0.014, 0.021}}}), (ProcessorSplit{1, 2}))
      << "the third leaves a thread idle: 42 ms both ways";
  EXPECT_EQ(quickest(splits, {{1, {0.010, 0.021}}, {3, {0.050, 0.055}}}), (ProcessorSplit{2, 1}))
      << "networks count by their trials";
  EXPECT_EQ(quickest(possible_splits(1, 2), {{1, {0.03, 0.01}}}), (ProcessorSplit{1, 1}))
      << "a second thread only stands in the way";
}

Study small_study(const std::string& more = "") {
  Study study;
  study.arms.resize(2);
  for (Arm& arm : study.arms) {
    read_options(arm.options.student,
                 "{model: {name: resnet3d, depth: 10, width: 4}, training: {batch_size: 4}}" + more,
                 "test");
  }
  study.shared.input.sampling.frames = 4;
  study.shared.input.size_px = 16;
  study.shared.seeds = 2;
  return study;
}

class MeasuredSplit : public ::testing::Test {
 protected:
  ~MeasuredSplit() override { at::set_num_threads(threads_); }
  std::string said(const Study& study, double large_s) {
    ::testing::internal::CaptureStderr();
    ConsoleProgress progress;
    chosen_ = measured_split(study, progress, large_s);
    return ::testing::internal::GetCapturedStderr();
  }
  int threads_ = at::get_num_threads();
  ProcessorSplit chosen_;
};

TEST_F(MeasuredSplit, IsOneOfThePossibleAndSaysWhatWasMeasured) {
  at::set_num_threads(2);
  const std::string line = said(small_study(), 1e9);
  EXPECT_THAT(possible_splits(4, 2), ::testing::Contains(chosen_));
  for (const char* words : {"one trial at a time on 2 threads: ",
                            "2 trials side by side, one thread each: ", " ms a step"})
    EXPECT_THAT(line, ::testing::HasSubstr(words));
  EXPECT_EQ(at::get_num_threads(), 2) << "as it was";
}

TEST_F(MeasuredSplit, IsNotMeasuredForALargeNetworkOrASingleThread) {
  at::set_num_threads(2);
  EXPECT_THAT(said(small_study(), 0), ::testing::HasSubstr("networks this large"));
  EXPECT_EQ(chosen_, (ProcessorSplit{1, 2}));
  at::set_num_threads(1);
  EXPECT_EQ(said(small_study(), 1e9), "");
  EXPECT_EQ(chosen_, (ProcessorSplit{1, 1}));
}

TEST_F(MeasuredSplit, ThreadsOfOneTrainingAreAllOrOne) {
  at::set_num_threads(2);
  const Study study = small_study();
  EXPECT_EQ(quicker_threads(2, 0.010, 0.018), 2);
  EXPECT_EQ(quicker_threads(2, 0.0104, 0.010), 2) << "a twenty-fifth is not worth it";
  EXPECT_EQ(quicker_threads(2, 0.150, 0.006), 1) << "beside another program";
  measured_threads(study.arms[0].options.student, study.shared.input, 1e9);
  EXPECT_EQ(at::get_num_threads(), 2) << "as it was, whatever was measured";
  EXPECT_EQ(measured_threads(study.arms[0].options.student, study.shared.input, 0), 2)
      << "a large network";
  EXPECT_EQ(at::get_num_threads(), 2) << "as it was";
}

}  // namespace
}  // namespace distal
