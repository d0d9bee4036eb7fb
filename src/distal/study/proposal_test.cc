// The first recipe that is proposed, by simulated paces.

#include "distal/study/proposal.h"

#include <cstdlib>

#include "distal/base/progress.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ProposalTest : public ::testing::Test {
 protected:
  ProposalTest() { ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1); }
  // Videos of so many seconds, left and right in turn, five frames a second.
  void videos(const std::string& prefix, int count, double seconds) {
    SyntheticOptions video;
    video.rate = 5;
    video.frames = static_cast<int64_t>(seconds * video.rate);

    video.width = video.height = 32;
    for (int i = 0; i < count; ++i)
      write_motion(folder_ / fmt::format("{}{}.mp4", prefix, i), motions()[i % 2],
                   100 * prefix[0] + i, video);
  }
  void whole_lists(int train, int test) {
    for (const auto& [name, prefix, count] :
         {std::tuple("train.csv", "a", train), std::tuple("test.csv", "b", test)}) {
      std::string rows = "path,label,group\n";
      for (int i = 0; i < count; ++i)
        rows += fmt::format("{0}{1}.mp4,{2},{0}{1}\n", prefix, i, i % 2 ? "waving" : "walking");
      folder_.write(name, rows);
    }
  }
  Proposal proposed(double step_s) {
    return propose({.folder = folder_.path()}, quiet_,
                   [&](const Learner&, const InputOptions&, int64_t) {
                     return Pace{step_s, 0};
                   });
  }
  SharedOptions read(const Proposal& proposal) {
    return read_study(Document::text(proposal.text, "r.yaml"), "r").shared;
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

TEST_F(ProposalTest, TakesMinutesWhateverThePace) {
  videos("a", 12, 1);
  videos("b", 4, 1);
  whole_lists(12, 4);
  const Proposal quick = proposed(0.001);
  EXPECT_LE(quick.minutes, 10);
  EXPECT_EQ(quick.minutes, quick.whole_minutes);
  EXPECT_EQ(read(quick).seeds, 5);
  EXPECT_THAT(quick.text, Not(HasSubstr("whole:")));
  for (const double step_s : {0.1, 0.5, 1.5}) {
    const Proposal slow = proposed(step_s);
    EXPECT_LE(slow.minutes, 10) << step_s << " s a step";
    EXPECT_GT(slow.whole_minutes, slow.minutes);
    EXPECT_LT(read(slow).seeds, 5);
    EXPECT_EQ(read_study(Document::text(slow.text, "r.yaml"), "r").arms.size(), 2U);
    EXPECT_THAT(slow.text, AllOf(HasSubstr("on this machine"), HasSubstr("whole: 5"),
                                 HasSubstr("#  badge: {strategy: badge}")));
  }
}

TEST_F(ProposalTest, SaysHowLongTheSmallestTakesWhereNoneTakesMinutes) {
  videos("a", 12, 1);
  videos("b", 4, 1);
  whole_lists(12, 4);
  const Proposal slow = proposed(60);
  EXPECT_GT(slow.minutes, 10);
  EXPECT_THAT(slow.text, HasSubstr("About 6 hours on this machine"));
}

TEST_F(ProposalTest, ShortClipsStayAsTheyAre) {
  videos("a", 12, 3);
  videos("b", 4, 3);
  whole_lists(12, 4);
  EXPECT_EQ(read(proposed(1)).clips.unit, "video");
}

TEST_F(ProposalTest, LongVideosAreCutIntoSegments) {
  videos("a", 12, 24);
  videos("b", 4, 24);
  whole_lists(12, 4);
  const SharedOptions recipe = read(proposed(1));
  EXPECT_EQ(recipe.clips.unit, "segment");
  EXPECT_EQ(recipe.clips.length_s, 8);
}

TEST_F(ProposalTest, PartsOfLongerVideosAreCutAsLongAsTheyAre) {
  videos("a", 4, 10);
  videos("b", 2, 10);
  for (const auto& [name, prefix, count] :
       {std::tuple("train.csv", "a", 4), std::tuple("test.csv", "b", 2)}) {
    std::string rows = "path,label,start_s,end_s,group\n";
    for (int i = 0; i < count; ++i) {
      for (int part = 0; part < 4; ++part)
        rows += fmt::format("{0}{1}.mp4,{2},{3},{4},{0}{1}\n", prefix, i,
                            part % 2 ? "waving" : "walking", 2.5 * part, 2.5 * part + 2.2);
    }
    folder_.write(name, rows);
  }
  const Proposal proposal = proposed(1);
  const SharedOptions recipe = read(proposal);
  EXPECT_EQ(recipe.clips.unit, "segment");
  EXPECT_EQ(recipe.clips.length_s, 2);
  EXPECT_EQ(recipe.clips.stride_s, 2);
}

TEST_F(ProposalTest, PartsThatHoldNoSegmentStayAsTheyAre) {
  videos("a", 12, 10);
  videos("b", 4, 10);
  for (const auto& [name, prefix, count] :
       {std::tuple("train.csv", "a", 12), std::tuple("test.csv", "b", 4)}) {
    std::string rows = "path,label,start_s,end_s,group\n";
    for (int i = 0; i < count; ++i)
      rows +=
          fmt::format("{0}{1}.mp4,{2},4.8,5.1,{0}{1}\n", prefix, i, i % 2 ? "waving" : "walking");
    folder_.write(name, rows);
  }
  EXPECT_EQ(read(proposed(1)).clips.unit, "video")
      << "no middle of a segment of a second lies in them";
}

}  // namespace
}  // namespace distal
