#include "distal/study/dataset.h"

#include "distal/base/progress.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

// Frames decoded by the first pass over 20 clips of the pool and 4 of the test list, 8 frames each,
// of which evaluation looks at 2.
int64_t decoded_first(const std::string& yaml, double gigabytes = 1) {
  const TemporaryFolder folder;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  Study study = generated_study(
      folder,
      "input: {size_px: 32, sampling: {frames: 2}}\nno_random_arm: a test\nstrategy: margin\n" +
          yaml);
  study.shared.cache.gigabytes = gigabytes;
  Dataset dataset = open_dataset(study, quiet);
  drop_unreadable(study, dataset, quiet);
  return dataset.reader->counts().decoded_frames;
}

TEST(MaterialTest, TheFirstPassKeepsFramesForTrainingWhereMuchOfThePoolIsTrainedOn) {
  const int64_t centres = 24 * 2;
  const int64_t pool_and_centres = 20 * 8 + 4 * 2;
  EXPECT_EQ(decoded_first("seeds: 1\nstart: 2\nrounds: 1\nbudget: 2\n"), centres);
  EXPECT_EQ(decoded_first("seeds: 1\nstart: 3\nrounds: 2\nbudget: 2\n"), pool_and_centres);
  EXPECT_EQ(decoded_first("seeds: 3\nstart: 2\nrounds: 1\nbudget: 1\n"), pool_and_centres)
      << "each seed trains on clips of its own";
  EXPECT_EQ(decoded_first("seeds: 1\nstart: 3\nrounds: 2\nbudget: 2\n", 0.0001), centres)
      << "there is no room";
  EXPECT_EQ(
      decoded_first(
          "seeds: 1\nstart: 3\nrounds: 2\nbudget: 2\nstudent: {model: {freeze: [backbone]}}\n"),
      centres)
      << "a frozen backbone looks at these alone";
  EXPECT_EQ(decoded_first("seeds: 1\nstart: 4\nrounds: 1\nbudget: 1\narms: {a: {strategy: margin}, "
                          "b: {strategy: entropy}}\n"),
            centres)
      << "arms begin with the same 4 clips of 20 and ask about 2 others";
}

}  // namespace
}  // namespace distal
