#include "distal/study/whole_videos.h"

#include <map>
#include <set>

#include <gmock/gmock.h>

#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Videos of so many clips, in turn; groups of two videos.
std::vector<Clip> clips_of(const std::vector<int>& videos) {
  std::vector<Clip> clips;
  for (int segment = 0; segment < 10; ++segment) {
    for (int video = 0; video < std::ssize(videos); ++video) {
      if (segment >= videos[video]) continue;
      Clip clip;
      clip.video = clip.video_id = fmt::format("{}", video);
      clip.group = fmt::format("g{}", video / 2);
      clip.start_s = segment;
      clip.end_s = segment + 1;
      clips.push_back(clip);
    }
  }
  return clips;
}

std::map<std::string, int> clips_by_video(const std::vector<Clip>& clips) {
  std::map<std::string, int> by_video;
  for (const Clip& clip : clips) ++by_video[clip.video];
  return by_video;
}

TEST(WholeVideos, ClipsAreGroupedInTheirOrder) {
  const std::vector<Clip> clips = clips_of({2, 1, 3});
  const auto videos = by_video(refs_of(clips));
  ASSERT_THAT(videos, SizeIs(3));
  EXPECT_THAT(videos[0], SizeIs(2));
  EXPECT_THAT(videos[2], SizeIs(3));
  EXPECT_EQ(videos[2][1]->start_s, 1);
}

TEST(WholeVideos, ADrawHoldsWholeVideosAndNeverMoreThanItMay) {
  const std::vector<int> lengths = {4, 2, 3, 5, 2};
  const std::vector<Clip> clips = clips_of(lengths);
  std::set<std::string> drawn;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Clip> some = draw_videos(refs_of(clips), 6, Random(seed));
    EXPECT_LE(std::ssize(some), 6);
    EXPECT_GE(std::ssize(some), 4) << "a video of two clips fits beside any other but that of five";
    for (const auto& [video, count] : clips_by_video(some)) {
      EXPECT_EQ(count, lengths[std::stoi(video)]);
      drawn.insert(video);
    }
  }
  EXPECT_THAT(drawn, SizeIs(5)) << "each in some draw";
  EXPECT_THAT(draw_videos(refs_of(clips), -1, Random(1)), SizeIs(16));
}

TEST(WholeVideos, ATestSetTakesGroupsInTurnUntilItHoldsEnough) {
  const std::vector<Clip> clips = clips_of({4, 4, 4, 4});
  const auto few = clips_by_video(draw_test_videos(clips, 5));
  ASSERT_THAT(few, SizeIs(2)) << "one video holds four";
  EXPECT_NE(std::stoi(few.begin()->first) / 2, std::stoi(few.rbegin()->first) / 2)
      << "of two groups";
  const auto more = clips_by_video(draw_test_videos(clips, 9));
  EXPECT_THAT(more, SizeIs(3));
  for (const auto& [video, count] : few) EXPECT_TRUE(more.contains(video));
  EXPECT_THAT(draw_test_videos(clips, -1), SizeIs(16));
  EXPECT_THAT(draw_test_videos(clips, 1), SizeIs(4)) << "never none";
}

}  // namespace
}  // namespace distal
