#include "distal/video/picture_video.h"

#include <gmock/gmock.h>

#include "distal/video/decoder.h"
#include "distal/video/image.h"
#include "distal/video/probe.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

torch::Tensor plain(int64_t value, int64_t height = 24, int64_t width = 32) {
  return torch::full({height, width, 3}, value, torch::kUInt8);
}

std::vector<std::string> jpegs(const TemporaryFolder& folder, int64_t count) {
  std::vector<std::string> paths;
  for (int64_t i = 0; i < count; ++i)
    paths.push_back(folder.write(fmt::format("f{}.jpg", i), encode_jpeg(plain(20 * i))));
  return paths;
}

// The brightness of each frame, to the nearest ten.
std::vector<int64_t> tens(const VideoInfo& info) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < info.frames(); ++i) indices.push_back(i);
  const auto frames = Decoder(info).at_frames(indices, {}).frames.to(torch::kFloat32);
  std::vector<int64_t> found;
  for (int64_t i = 0; i < frames.size(0); ++i)
    found.push_back(std::lround(frames[i].mean().item<float>() / 10));
  return found;
}

TEST(PictureVideo, ShowsThePicturesInTheirOrderAndRate) {
  const TemporaryFolder folder;
  const std::string out = folder / "out.bin";
  const auto video = write_picture_video(jpegs(folder, 5), 2.5, out, "the pictures");
  EXPECT_EQ(video.frames, 5);
  EXPECT_EQ(video.damage(), "");
  const VideoInfo info = probe(out);
  EXPECT_EQ(info.codec, "mjpeg");
  EXPECT_TRUE(info.seekable);
  EXPECT_TRUE(info.damage.empty());
  ASSERT_EQ(info.frames(), 5);
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_NEAR(info.time_s[static_cast<size_t>(i)], 0.4 * static_cast<double>(i), 1e-6);
  EXPECT_NEAR(info.duration_s, 2, 1e-6);
  EXPECT_THAT(tens(info), ElementsAre(0, 2, 4, 6, 8));
}

TEST(PictureVideo, KeepsTheBytesOfItsPictures) {
  const TemporaryFolder folder;
  const auto paths = jpegs(folder, 3);
  write_picture_video(paths, 25, folder / "out", "the pictures");
  for (const auto& path : paths)
    EXPECT_NE(bytes_of(folder / "out").find(bytes_of(path)), std::string::npos);
}

TEST(PictureVideo, LeavesOutWhatItCannotUseAndSaysSo) {
  const TemporaryFolder folder;
  auto paths = jpegs(folder, 6);
  write_bytes(paths[1], bytes_of(paths[1]).substr(0, 200));
  write_bytes(paths[2], encode_jpeg(plain(40, 48, 32)));
  write_bytes(paths[4], "no picture");
  const auto video = write_picture_video(paths, 10, folder / "out", "the pictures");
  EXPECT_EQ(video.frames, 3);
  EXPECT_EQ(video.damage(),
            "3 of 6 pictures left out: f1.jpg: cut off; f2.jpg: 32 x 48 px, the first is 32 x 24 "
            "px; f4.jpg: no picture that is read");
  const VideoInfo info = probe(folder / "out");
  EXPECT_THAT(info.time_s,
              ElementsAre(0, ::testing::DoubleNear(0.3, 1e-6), ::testing::DoubleNear(0.5, 1e-6)))
      << "the others keep their times";
  EXPECT_THAT(tens(info), ElementsAre(0, 6, 10));
}

TEST(PictureVideo, MakesPngOfAMixedRowAndLosesNothing) {
  const TemporaryFolder folder;
  auto paths = jpegs(folder, 2);
  output_of("ffmpeg -nostdin -v error -f lavfi -i color=0x123456:s=32x24 -frames:v 1 '" +
            (folder / "a.png") + "' -frames:v 1 '" + (folder / "b.bmp") + "'");
  paths.insert(paths.end(), {folder / "a.png", folder / "b.bmp"});
  EXPECT_EQ(write_picture_video(paths, 5, folder / "out", "the pictures").damage(), "");
  const VideoInfo info = probe(folder / "out");
  EXPECT_EQ(info.codec, "png");
  ASSERT_EQ(info.frames(), 4);
  const std::vector<int64_t> both = {2, 3};
  const auto frames = Decoder(info).at_frames(both, {}).frames;
  EXPECT_TRUE(frames[0].equal(frames[1]));
  EXPECT_LE((frames[0][0][0].to(torch::kInt64) - torch::tensor({0x12, 0x34, 0x56}))
                .abs()
                .max()
                .item<int64_t>(),
            2);
}

TEST(PictureVideo, RefusesARowWithoutPictures) {
  const TemporaryFolder folder;
  const std::string text = folder.write("a.jpg", "no picture");
  EXPECT_THAT(
      error_of([&] { write_picture_video({text}, 5, folder / "out", "the pictures"); }),
      HasSubstr(
          "the pictures: none of its 1 pictures can be used (a.jpg: no picture that is read)"));
}

TEST(PictureVideo, KnowsPicturesByTheirEnding) {
  EXPECT_TRUE(has_picture_ending("a/b.JPG"));
  EXPECT_TRUE(has_picture_ending("a.png"));
  EXPECT_FALSE(has_picture_ending("a.mp4"));
  EXPECT_FALSE(has_picture_ending("jpg"));
}

}  // namespace
}  // namespace distal
