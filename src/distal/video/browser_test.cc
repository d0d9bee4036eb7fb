#include "distal/video/browser.h"

#include <gmock/gmock.h>

#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

class Browser : public ::testing::Test {
 protected:
  TemporaryFolder folder;

  std::string why_not(const std::string& name, const SyntheticOptions& made,
                      const BrowserLimits& limits = {}) {
    write_numbered(folder / name, made);
    return why_not_in_browser(probe(folder / name), limits);
  }

  std::string why_not_coded(const std::string& name, const std::string& coding) {
    write_numbered(folder / "from.mp4", {.frames = 60});
    output_of(fmt::format("ffmpeg -nostdin -v error -y -i '{}' {} '{}' 2>&1", folder / "from.mp4",
                          coding, folder / name));
    return why_not_in_browser(probe(folder / name));
  }
};

TEST_F(Browser, PlaysH264InMp4) {
  EXPECT_EQ(why_not("v.mp4", {.frames = 60}), "");
  EXPECT_EQ(why_not("v.mov", {.frames = 60}), "");
  EXPECT_EQ(why_not("b.mp4", {.frames = 60, .variable_rate = true, .b_frames = 3}), "");
  EXPECT_EQ(why_not("sound.mp4", {.frames = 60, .audio = true}), "");
}

TEST_F(Browser, PlaysVp9AndAv1InWebm) {
  EXPECT_EQ(why_not_coded("v.webm", "-c:v libvpx-vp9 -b:v 0 -crf 20 -g 30 -cpu-used 8"), "");
  EXPECT_EQ(why_not_coded("a.webm", "-c:v libsvtav1 -preset 12 -crf 30 -g 30"), "");
  EXPECT_THAT(why_not_coded("v.mkv", "-c:v libvpx-vp9 -b:v 0 -crf 20 -g 30 -cpu-used 8"),
              HasSubstr("vp9 in matroska"));
}

TEST_F(Browser, IsNotSentWhatItCannotShowExactly) {
  const SyntheticOptions plain{.frames = 60};
  auto open = plain;
  open.b_frames = 3;
  open.open_gop = true;
  EXPECT_THAT(why_not("open.mp4", open), HasSubstr("groups of pictures are open"));
  auto turned = plain;
  turned.rotation = 90;
  EXPECT_THAT(why_not("turned.mp4", turned), HasSubstr("turned"));
  auto rare = plain;
  rare.gop = 50;
  EXPECT_THAT(why_not("rare.mp4", rare), HasSubstr("50 frames lie between"));
  auto late = plain;
  late.first_s = 1;
  EXPECT_THAT(why_not("late.mp4", late), HasSubstr("do not begin with 0"));
  auto odd = plain;
  odd.width = 51;
  EXPECT_THAT(why_not("odd.mp4", odd), HasSubstr("4:2:0"));
  EXPECT_THAT(why_not("v.mkv", plain), HasSubstr("h264 in matroska"));
  EXPECT_NE(why_not("v.avi", plain), "");
  EXPECT_THAT(why_not("v.mp4", plain, {.most_pixels = 1000}), HasSubstr("large"));
  EXPECT_THAT(why_not("v.mp4", plain, {.most_bits_per_s = 100}), HasSubstr("bits a second"));
}

TEST_F(Browser, IsNotSentOtherCoding) {
  EXPECT_THAT(why_not_coded("hevc.mp4",
                            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=12:"
                            "pools=1:frame-threads=1"),
              HasSubstr("hevc in mp4"));
  EXPECT_THAT(why_not_coded("ten.mp4", "-c:v libx264 -g 12 -pix_fmt yuv420p10le"),
              HasSubstr("8 bits"));
  EXPECT_THAT(why_not_coded("parts.mp4", "-c:v libx264 -bf 0 -g 12 -pix_fmt yuv420p -movflags "
                                         "frag_keyframe+empty_moov"),
              HasSubstr("fragments"));
  EXPECT_THAT(why_not_coded("two.mp4", "-map 0 -map 0 -c:v libx264 -g 12 -pix_fmt yuv420p"),
              HasSubstr("several video streams"));
}

TEST_F(Browser, IsNotSentWhatIsDamaged) {
  write_numbered(folder / "v.ts", {.frames = 60});
  const std::string bytes = bytes_of(folder / "v.ts");
  write_bytes(folder / "v.ts", bytes.substr(0, bytes.size() / 2 + 40));
  EXPECT_THAT(why_not_in_browser(probe(folder / "v.ts")), HasSubstr("damaged"));
}

}  // namespace
}  // namespace distal
