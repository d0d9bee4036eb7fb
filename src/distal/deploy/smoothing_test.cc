#include "distal/deploy/smoothing.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

int64_t most_probable(const torch::Tensor& p) { return p.argmax().item<int64_t>(); }

torch::Tensor of(double first) {
  return torch::tensor({static_cast<float>(first), static_cast<float>(1 - first)});
}

struct Told {
  std::vector<int64_t> labels;                // after each answer
  std::vector<std::vector<double>> segments;  // start, end, label
};

// An answer a second from 1 s on, the probability of class 0 in each; the first frame is at 0.
Told told(const SmoothingOptions& options, const std::vector<double>& first) {
  Smoother smoother(options, most_probable);
  smoother.begin(0);
  Told all;
  const auto keep = [&](const Segment& segment) {
    all.segments.push_back({segment.start_s, segment.end_s, static_cast<double>(segment.label)});
  };
  double time_s = 0;
  for (const double p : first) {
    const auto said = smoother.add(time_s += 1, of(p));
    all.labels.push_back(said.label);
    for (const auto& segment : said.finished) keep(segment);
  }
  if (const auto last = smoother.end()) keep(*last);
  return all;
}

TEST(Smoother, WithoutOptionsSaysWhatEachAnswerSays) {
  const auto all = told({}, {.9, .2, .8, .7});
  EXPECT_THAT(all.labels, ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(all.segments,
              ElementsAre(ElementsAre(0, 1, 0), ElementsAre(1, 2, 1), ElementsAre(2, 4, 0)));
}

// Of three seconds: .9, (.9+.2)/2, (.9+.2+.3)/3 = .467, (.2+.3+.9)/3 = .467, (.3+.9+.9)/3 = .7
TEST(Smoother, AveragesTheAnswersOfItsWindow) {
  Smoother smoother({.window_s = 3}, most_probable);
  smoother.begin(0);
  std::vector<double> q;
  double time_s = 0;
  for (const double p : {.9, .2, .3, .9, .9})
    q.push_back(smoother.add(time_s += 1, of(p)).probabilities[0].item<float>());
  EXPECT_THAT(
      q, ElementsAre(::testing::DoubleNear(.9, 1e-6), ::testing::DoubleNear(.55, 1e-6),
                     ::testing::DoubleNear(1.4 / 3, 1e-6), ::testing::DoubleNear(1.4 / 3, 1e-6),
                     ::testing::DoubleNear(.7, 1e-6)));
}

TEST(Smoother, AClassBeginsAboveOneThresholdAndEndsBelowAnother) {
  const SmoothingOptions options{.enter = .7, .leave = .4};
  EXPECT_THAT(told(options, {.6, .75, .5, .45, .35, .25, .2}).labels,
              ElementsAre(kNoClass, 0, 0, 0, kNoClass, 1, 1));
  EXPECT_THAT(told(options, {.6, .75, .5, .45, .35, .25, .2}).segments,
              ElementsAre(ElementsAre(1, 4, 0), ElementsAre(5, 7, 1)));
}

TEST(Smoother, ASpellThatIsTooShortBelongsToTheClassAroundIt) {
  const SmoothingOptions options{.least_s = 2};
  EXPECT_THAT(told(options, {.9, .9, .9, .1, .9, .9}).segments, ElementsAre(ElementsAre(0, 6, 0)));
  const auto longer = told(options, {.9, .9, .9, .1, .1, .1});
  EXPECT_THAT(longer.labels, ElementsAre(kNoClass, 0, 0, 0, 1, 1)) << "said when it has lasted";
  EXPECT_THAT(longer.segments, ElementsAre(ElementsAre(0, 3, 0), ElementsAre(3, 6, 1)))
      << "and dated back";
  EXPECT_THAT(told(options, {.9}).segments, IsEmpty());
}

TEST(Smoother, ASegmentHasTheMeanOfItsAnswers) {
  Smoother smoother({.least_s = 2}, most_probable);
  smoother.begin(0);
  double time_s = 0;
  for (const double p : {.9, .8, .1, .6}) smoother.add(time_s += 1, of(p));
  const auto segment = smoother.end();
  ASSERT_TRUE(segment.has_value());
  EXPECT_NEAR(segment->probabilities[0].item<float>(), .6, 1e-6);
}

TEST(Smoother, BeginsAnewAfterALoss) {
  Smoother smoother({.window_s = 100, .least_s = 1}, most_probable);
  smoother.begin(0);
  for (int i = 1; i <= 9; ++i) smoother.add(i, of(1));
  EXPECT_EQ(smoother.end()->end_s, 9);
  smoother.begin(20);
  const auto said = smoother.add(21, of(0));
  EXPECT_EQ(said.label, 1);
  EXPECT_EQ(said.probabilities[0].item<float>(), 0) << "nothing of before";
  EXPECT_EQ(smoother.end()->start_s, 20);
}

// The change is in the frames of an answer at once here, so the delay is window and duration.
TEST(Smoother, IsNeverLaterThanItsDelay) {
  for (const double window_s : {0., 3., 5.}) {
    for (const double least_s : {0., 2., 4.}) {
      const SmoothingOptions options{.window_s = window_s, .least_s = least_s};
      Smoother smoother(options, most_probable);
      smoother.begin(0);
      double said_s = 0;
      for (int i = 1; i <= 60; ++i) {
        if (smoother.add(i, of(i <= 30 ? 1 : 0)).label == 1 && said_s == 0) said_s = i;
      }
      EXPECT_LE(said_s - 30, options.delay_s(1)) << window_s << " " << least_s;
      EXPECT_GT(said_s, 30);
    }
  }
}

}  // namespace
}  // namespace distal
