#include "distal/video/pictures.h"

#include <gmock/gmock.h>

#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PicturesOfVideo : public ::testing::Test {
 protected:
  TemporaryFolder folder;

  VideoInfo video(const std::string& name, const SyntheticOptions& made) {
    write_numbered(folder / name, made);
    return probe(folder / name);
  }

  // uint8 [H, W, 3]: a JPEG is a video of one frame.
  torch::Tensor decoded(const std::string& jpeg) {
    write_bytes(folder / "picture", jpeg);
    const std::vector<int64_t> first = {0};
    return Decoder(probe(folder / "picture")).at_frames(first, {}).frames[0];
  }

  int64_t number_in(const std::string& jpeg) {
    const auto frame = decoded(jpeg);
    return read_number(frame.const_data_ptr<uint8_t>(), frame.size(0), frame.size(1));
  }

  std::vector<int64_t> numbers_in(const FilmStrip& strip) {
    const auto row = decoded(strip.jpeg);
    EXPECT_EQ(row.size(0), strip.height);
    EXPECT_EQ(row.size(1), strip.width * std::ssize(strip.frames));
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < std::ssize(strip.frames); ++i) {
      const auto one = row.slice(1, i * strip.width, (i + 1) * strip.width).contiguous();
      numbers.push_back(read_number(one.const_data_ptr<uint8_t>(), strip.height, strip.width));
    }
    return numbers;
  }
};

const SyntheticOptions kHard{.frames = 60,
                             .rate = 30000.0 / 1001,
                             .width = 96,
                             .height = 72,
                             .variable_rate = true,
                             .b_frames = 3,
                             .gop = 20,
                             .open_gop = true,
                             .first_s = 2};

TEST_F(PicturesOfVideo, ShowTheFrameOfATime) {
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    const VideoInfo info = video(name, kHard);
    Pictures pictures(info);
    for (const int64_t frame : {41, 3, 59, 0, 40, 19, 20, 21}) {
      const double begin = info.time_s[static_cast<size_t>(frame)];
      const double end =
          frame == 59 ? info.duration_s : info.time_s[static_cast<size_t>(frame + 1)];
      for (const double t_s : {begin, (begin + end) / 2, end - 1e-5}) {
        const Picture picture = pictures.at(t_s);
        EXPECT_EQ(picture.frame, frame) << name;
        EXPECT_EQ(picture.time_s, begin) << name;
        EXPECT_EQ(number_in(picture.jpeg), frame) << name;
      }
    }
    EXPECT_EQ(pictures.at(-5).frame, 0);
    EXPECT_EQ(pictures.at(1e9).frame, 59);
  }
}

TEST_F(PicturesOfVideo, HaveTheHeightThatWasAskedForAndAreNotEnlarged) {
  Pictures wide(video("wide.mp4", {.frames = 3, .width = 96, .height = 72}));
  EXPECT_EQ(decoded(wide.at(0, 36).jpeg).sizes(), (std::vector<int64_t>{36, 48, 3}));
  EXPECT_EQ(decoded(wide.at(0).jpeg).sizes(), (std::vector<int64_t>{72, 96, 3}));
  EXPECT_EQ(decoded(wide.at(0, 500).jpeg).sizes(), (std::vector<int64_t>{72, 96, 3}));
  Pictures tall(video("tall.mp4", {.frames = 3, .width = 72, .height = 96, .rotation = 90}));
  EXPECT_EQ(decoded(tall.at(0, 48).jpeg).sizes(), (std::vector<int64_t>{48, 36, 3}));
  EXPECT_EQ(number_in(tall.of_frame(2, 48).jpeg), 2) << "and are upright";
}

TEST_F(PicturesOfVideo, StripsShowTheMiddleOfEqualParts) {
  const VideoInfo info = video("v.mkv", kHard);
  Pictures pictures(info);
  const FilmStrip strip = pictures.strip(0.3, 1.7, 7, 48);
  EXPECT_EQ(strip.height, 48);
  EXPECT_EQ(strip.width, 64);
  ASSERT_EQ(strip.frames.size(), 7u);
  for (size_t i = 0; i < 7; ++i) {
    const double middle = 0.3 + 0.2 * (static_cast<double>(i) + 0.5);
    EXPECT_EQ(strip.frames[i], info.frame_at(middle));
    EXPECT_EQ(strip.time_s[i], info.time_s[static_cast<size_t>(strip.frames[i])]);
  }
  EXPECT_EQ(numbers_in(strip), strip.frames);
}

TEST_F(PicturesOfVideo, StripsOfAConstantRateCanBeWorkedOutByHand) {
  Pictures pictures(video("v.mp4", {.frames = 50, .rate = 25, .b_frames = 2}));
  const FilmStrip strip = pictures.strip(0, 2, 5, 0);  // middles .2 .6 1 1.4 1.8 s
  EXPECT_THAT(strip.frames, ElementsAre(5, 15, 25, 35, 45));
  EXPECT_THAT(numbers_in(strip), ElementsAre(5, 15, 25, 35, 45));
  EXPECT_THAT(numbers_in(pictures.strip(1, 1, 2, 0)), ElementsAre(25, 25));
}

TEST_F(PicturesOfVideo, StripsOfKeyFramesShowTheOneBefore) {
  const VideoInfo info = video("v.mp4", {.frames = 50, .rate = 25, .b_frames = 2, .gop = 12});
  Pictures pictures(info);
  const FilmStrip strip = pictures.strip(0, 2, 5, 0, StripFrames::keys);
  EXPECT_THAT(strip.frames, ElementsAre(0, 12, 24, 24, 36));
  EXPECT_EQ(numbers_in(strip), strip.frames);
  EXPECT_EQ(strip.time_s[1], info.time_s[12]);
}

TEST_F(PicturesOfVideo, RefuseWhatCannotBeShown) {
  Pictures pictures(video("v.mp4", {.frames = 5}));
  EXPECT_THAT(error_of([&] { pictures.at(std::nan("")); }), HasSubstr("is no time"));
  EXPECT_THAT(error_of([&] { pictures.at(0, -1); }), HasSubstr("-1 px high"));
  EXPECT_THAT(error_of([&] { pictures.of_frame(5); }), HasSubstr("numbers 0 to 4"));
  EXPECT_THAT(error_of([&] { pictures.strip(1, 0, 3, 0); }), HasSubstr("in order"));
  EXPECT_THAT(error_of([&] { pictures.strip(0, 1, 0, 0); }), HasSubstr("give 1 to 500"));
  EXPECT_THAT(error_of([&] { pictures.strip(0, 1, 501, 0); }), HasSubstr("give 1 to 500"));
  write_numbered(folder / "large.mp4", {.frames = 2, .width = 640, .height = 480});
  Pictures large(probe(folder / "large.mp4"));
  EXPECT_THAT(error_of([&] { large.strip(0, 1, 51, 480); }), HasSubstr("32640 px wide"));
}

}  // namespace
}  // namespace distal
