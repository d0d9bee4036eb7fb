// How the initial clips of a run are drawn.

#include "distal/study/labeled_set.h"

#include "distal/base/random.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

/// 90 clips of class 0 and 10 of class 1, by their start.
std::vector<Clip> uneven() {
  std::vector<Clip> clips(100);
  for (int64_t i = 0; i < 100; ++i) {
    clips[i].video = "v";
    clips[i].start_s = static_cast<double>(i);

    clips[i].label = i < 90 ? 0 : 1;
  }
  return clips;
}

std::vector<Clip> drawn(int64_t start, const std::string& how, uint64_t seed) {
  static const std::vector<Clip> clips = uneven();
  ArmOptions arm;
  arm.start = start;
  if (!how.empty()) arm.start_draw = how;
  return initial_draw(refs_of(clips), arm, 2, Random(seed));
}

int64_t of_the_rare_class(const std::vector<Clip>& clips) {
  return std::count_if(clips.begin(), clips.end(),
                       [](const Clip& clip) { return clip.label == 1; });
}

TEST(InitialDraw, IsRandomUnlessTheRecipeNamesAnother) {
  int64_t rare = 0;
  int64_t without = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const auto clips = drawn(10, "", seed);
    EXPECT_EQ(clips.size(), 10u);
    rare += of_the_rare_class(clips);
    without += of_the_rare_class(clips) == 0;
  }
  EXPECT_NEAR(static_cast<double>(rare) / 4000, 0.1, 0.02);  // as the pool has it
  EXPECT_NEAR(static_cast<double>(without) / 400, 0.33,
              0.08);  // hypergeometric: none of the rare class in .330 of the draws
}

TEST(InitialDraw, ByLabelsIsEvenOverTheClasses) {
  for (const char* how : {"stratified_by_labels", "stratified_by_hidden_labels"}) {
    EXPECT_EQ(of_the_rare_class(drawn(10, how, 1)), 5);
    EXPECT_EQ(of_the_rare_class(drawn(40, how, 1)), 10) << "as far as there are some";
  }
}

TEST(InitialDraw, TheFewerAreTheFirstOfTheMore) {
  for (const char* how : {"random", "stratified_by_hidden_labels"}) {
    const auto few = drawn(8, how, 3);
    const auto more = drawn(30, how, 3);
    const auto other = drawn(8, how, 4);
    const auto same = [](const Clip& a, const Clip& b) { return a.key() == b.key(); };
    EXPECT_TRUE(std::equal(few.begin(), few.end(), more.begin(), same)) << how;
    EXPECT_FALSE(std::equal(few.begin(), few.end(), other.begin(), same)) << how;
    EXPECT_EQ(drawn(-1, how, 3).size(), 100u);
    EXPECT_EQ(drawn(200, how, 3).size(), 100u);
  }
}

}  // namespace
}  // namespace distal
