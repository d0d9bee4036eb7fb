#include "distal/video/shrink.h"

#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "distal/video/decoder.h"
#include "distal/video/synthetic.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

class Shrink : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  ShrinkOptions options{.short_side_px = 64, .gop = 4, .crf = 10};

  // The number painted in each frame of the copy.
  static std::vector<int64_t> numbers(const VideoInfo& info) {
    std::vector<int64_t> indices, numbers;
    for (int64_t i = 0; i < info.frames(); ++i) indices.push_back(i);
    const auto frames = Decoder(info).at_frames(indices, {}).frames;
    for (int64_t i = 0; i < info.frames(); ++i)
      numbers.push_back(
          read_number(frames[i].const_data_ptr<uint8_t>(), frames.size(1), frames.size(2)));
    return numbers;
  }
};

TEST_F(Shrink, TheCopyHasTheSameFramesAtTheSameTimes) {
  const SyntheticOptions plain{
      .frames = 45, .rate = 30000.0 / 1001, .width = 200, .height = 150, .b_frames = 2, .gop = 30};
  for (const bool variable : {false, true}) {
    for (const int rotation : {0, 90}) {
      auto made = plain;
      made.variable_rate = variable;
      made.rotation = rotation;
      for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
        SCOPED_TRACE(fmt::format("{} variable {} rotation {}", name, variable, rotation));
        write_numbered(folder / name, made);
        const VideoInfo source = probe(folder / name);
        shrink(source, folder / "copy.mp4", options);
        const VideoInfo copy = probe(folder / "copy.mp4");
        EXPECT_TRUE(copy.damage.empty());
        EXPECT_EQ(std::min(copy.width, copy.height), 64);
        EXPECT_EQ(copy.rotation, 0);
        ASSERT_EQ(copy.frames(), source.frames());
        for (int64_t i = 0; i < source.frames(); ++i) {
          EXPECT_NEAR(copy.time_s[i], source.time_s[i], 1e-7) << i;
          EXPECT_EQ(copy.key[i], i % options.gop == 0) << i;
        }
        EXPECT_NEAR(copy.duration_s, source.duration_s, 0.002);
        EXPECT_EQ(numbers(copy), numbers(source));
      }
    }
  }
}

TEST_F(Shrink, ScatteredFramesOfTheCopyTakeFewerOthersToDecode) {
  write_numbered(folder / "v.mp4", {.frames = 120, .b_frames = 2, .gop = 60});
  shrink(probe(folder / "v.mp4"), folder / "copy.mp4", options);
  const auto decoded = [&](const std::string& path) {
    const std::vector<int64_t> frames = {20, 50, 80, 110};
    const VideoInfo info = probe(path);
    Decoder decoder(info);
    decoder.at_frames(frames, {});
    return decoder.work().decoded;
  };
  EXPECT_LE(decoded(folder / "copy.mp4"), 4 * options.gop);
  EXPECT_GT(decoded(folder / "v.mp4"), 8 * options.gop);
}

TEST_F(Shrink, ASmallVideoKeepsItsSizeButForAnOddRowOrColumn) {
  write_numbered(folder / "v.mp4", {.frames = 5, .width = 51, .height = 40});
  shrink(probe(folder / "v.mp4"), folder / "copy.mp4", options);
  const VideoInfo copy = probe(folder / "copy.mp4");
  EXPECT_EQ(std::pair(copy.width, copy.height), std::pair(int64_t{50}, int64_t{40}));
}

TEST_F(Shrink, KnowsItsOwnCopies) {
  write_numbered(folder / "v.mp4", {.frames = 5});
  const VideoInfo source = probe(folder / "v.mp4");
  EXPECT_FALSE(is_shrunk(folder / "copy.mp4", source.stamp(), options)) << "there is none";
  shrink(source, folder / "copy.mp4", options);
  EXPECT_TRUE(is_shrunk(folder / "copy.mp4", source.stamp(), options));
  auto other = options;
  other.gop = 5;
  EXPECT_FALSE(is_shrunk(folder / "copy.mp4", source.stamp(), other));
  EXPECT_FALSE(is_shrunk(folder / "copy.mp4", {source.bytes, source.modified_ns + 1}, options))
      << "the video is another by now";
  EXPECT_FALSE(is_shrunk(folder / "v.mp4", source.stamp(), options)) << "no copy at all";
  EXPECT_FALSE(is_shrunk(folder / "absent.mp4", source.stamp(), options));
  ASSERT_EQ(::mkfifo((folder / "pipe.mp4").c_str(), 0600), 0);
  EXPECT_FALSE(is_shrunk(folder / "pipe.mp4", source.stamp(), options))
      << "and it is not waited for";
}

TEST_F(Shrink, WhoIsToBlameIsSaid) {
  write_numbered(folder / "v.mp4", {.frames = 5});
  const VideoInfo source = probe(folder / "v.mp4");
  EXPECT_THROW(shrink(source, folder / "absent/copy.mp4", options), CopyError);
  std::ofstream(folder / "v.mp4") << "replaced";
  try {
    shrink(source, folder / "copy.mp4", options);
    FAIL() << "accepted";
  } catch (const CopyError&) {
    FAIL() << "the copy is not to blame";
  } catch (const Error&) {
    EXPECT_FALSE(FileStamp::of(folder / "copy.mp4"));
  }
}

}  // namespace
}  // namespace distal
