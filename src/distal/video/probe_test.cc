#include "distal/video/probe.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "distal/video/synthetic.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

VideoInfo probe_of(const std::string& path, const SyntheticOptions& options) {
  write_numbered(path, options);
  return probe(path);
}

TEST(Probe, DescribesAVideo) {
  const TemporaryFolder folder;
  const VideoInfo info = probe_of(
      folder / "v.mp4", {.frames = 30, .rate = 24, .width = 80, .height = 48, .audio = true});
  EXPECT_EQ(info.codec, "h264");
  EXPECT_EQ(info.container, "mp4");
  EXPECT_EQ(info.width, 80);
  EXPECT_EQ(info.height, 48);
  EXPECT_EQ(info.audio_streams, 1);
  EXPECT_EQ(info.frames(), 30);
  EXPECT_NEAR(info.duration_s, 30 / 24.0, 1e-4);
  EXPECT_NEAR(info.average_rate, 24, 0.01);
  EXPECT_TRUE(info.constant_rate);
  EXPECT_FALSE(info.full_range);
  EXPECT_EQ(info.bytes, static_cast<int64_t>(bytes_of(info.path).size()));
  EXPECT_THAT(info.damage, IsEmpty());
}

TEST(Probe, MeasuresTimesFromTheFirstShownFrame) {
  const TemporaryFolder folder;
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    const VideoInfo info = probe_of(folder / name, {.b_frames = 2, .first_s = 2});
    EXPECT_EQ(info.time_s.front(), 0) << name;
    EXPECT_NEAR(info.time_s.back(), 31 / 25.0, 2e-3) << name;
    EXPECT_NEAR(info.duration_s, 32 / 25.0, 2e-3) << name;
  }
}

TEST(Probe, TellsVariableFromConstantRate) {
  const TemporaryFolder folder;
  EXPECT_FALSE(probe_of(folder / "variable.mp4", {.variable_rate = true}).constant_rate);
  EXPECT_FALSE(probe_of(folder / "variable.mkv", {.variable_rate = true}).constant_rate);
  EXPECT_TRUE(probe_of(folder / "ntsc.mkv", {.frames = 100, .rate = 29.97})
                  .constant_rate);  // milliseconds round
  EXPECT_TRUE(
      probe_of(folder / "ntsc.ts", {.frames = 100, .rate = 29.97, .b_frames = 2}).constant_rate);
}

TEST(Probe, GivesTheSizeAsShown) {
  const TemporaryFolder folder;
  for (const int rotation : {0, 90, 180, 270}) {
    const VideoInfo info = probe_of(folder / fmt::format("{}.mp4", rotation),
                                    {.width = 80, .height = 48, .rotation = rotation});
    EXPECT_EQ(info.rotation, rotation);
    EXPECT_EQ(info.width, 80);
    EXPECT_EQ(info.height, 48);
  }
}

TEST(Probe, MarksKeyFrames) {
  const TemporaryFolder folder;
  const VideoInfo info = probe_of(folder / "v.mp4", {.frames = 30, .b_frames = 2, .gop = 10});
  for (int64_t i = 0; i < 30; ++i) EXPECT_EQ(info.key[static_cast<size_t>(i)], i % 10 == 0) << i;
}

TEST(Probe, FindsTheFrameShownAtATime) {
  VideoInfo info;
  info.time_s = {0, 0.1, 0.25, 0.3};
  EXPECT_EQ(info.frame_at(-1), 0);
  EXPECT_EQ(info.frame_at(0), 0);
  EXPECT_EQ(info.frame_at(0.0999), 0);
  EXPECT_EQ(info.frame_at(0.1), 1);
  EXPECT_EQ(info.frame_at(0.29), 2);
  EXPECT_EQ(info.frame_at(9), 3);
  EXPECT_EQ(info.frame_at(std::nan("")), 0);
}

TEST(Probe, NamesAFileByItsContent) {
  const TemporaryFolder folder;
  std::string bytes(3'000'001, 'a');
  write_bytes(folder / "a", bytes);
  write_bytes(folder / "b", bytes);
  const std::string id = content_id(folder / "a");
  EXPECT_THAT(id, ::testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(content_id(folder / "b"), id);
  for (const size_t at : {size_t{0}, size_t{1'500'000}, bytes.size() - 1}) {
    bytes[at] ^= 1;
    write_bytes(folder / "b", bytes);
    EXPECT_NE(content_id(folder / "b"), id);
    bytes[at] ^= 1;
  }
  write_bytes(folder / "b", bytes + std::string(1, '\0'));
  EXPECT_NE(content_id(folder / "b"), id);
}

TEST(Probe, RefusesWhatIsNotAVideo) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { probe(folder / "none.mp4"); }), HasSubstr("none.mp4: no such file"));
  EXPECT_THAT(error_of([&] { probe(folder / ""); }), HasSubstr("not a file"));
  write_bytes(folder / "empty.mp4", "");
  EXPECT_THAT(error_of([&] { probe(folder / "empty.mp4"); }), HasSubstr("empty (0 bytes)"));
  std::string text;
  for (int i = 0; i < 500; ++i) text += "The quick brown fox jumps over the lazy dog.\n";
  write_bytes(folder / "text.mp4", text);
  EXPECT_THAT(error_of([&] { probe(folder / "text.mp4"); }), HasSubstr("not a video"));
  write_bytes(folder / "list.txt", "ffconcat version 1.0\nfile text.mp4\n");
  EXPECT_THAT(error_of([&] { probe(folder / "list.txt"); }), HasSubstr("list.txt: "));
  write_numbered(folder / "audio.mp4", {.frames = 0, .audio = true});
  EXPECT_THAT(error_of([&] { probe(folder / "audio.mp4"); }),
              HasSubstr("no video stream (1 audio stream)"));
}

TEST(Probe, RefusesPicturesThatWouldTakeAllMemory) {
  const TemporaryFolder folder;
  EXPECT_EQ(probe_of(folder / "wide.mp4", {.frames = 2, .width = 2048, .height = 32}).width, 2048);
  const auto refusal = [&](const std::string& name, int rotation) {
    return error_of([&] {
      probe_of(folder / name, {.frames = 2, .width = 2080, .height = 32, .rotation = rotation});
    });
  };
  EXPECT_THAT(refusal("wider.mp4", 0), HasSubstr("2080 x 32 px"));
  EXPECT_THAT(refusal("lying.mp4", 90), HasSubstr("32 x 2080 px"));
}

TEST(Probe, RefusesWhatNamesOtherFiles) {
  const TemporaryFolder folder;
  write_numbered(folder / "ok.mp4", {});
  const std::string manifest =
      "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
      "mediaPresentationDuration=\"PT2S\" minBufferTime=\"PT1S\" "
      "profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period><AdaptationSet "
      "mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1000\">"
      "<BaseURL>{}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>";
  const std::pair<const char*, std::string> files[] = {
      {"self.mp4", fmt::format(fmt::runtime(manifest), "self.mp4")},
      {"dash.mp4", fmt::format(fmt::runtime(manifest), "ok.mp4")},
      {"hls.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nok.mp4\n#EXT-X-ENDLIST\n"},
      {"concat.mp4", "ffconcat version 1.0\nfile ok.mp4\n"},
      {"sdp.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 "
                  "RTP/AVP 96\na=rtpmap:96 H264/90000\n"},
  };
  for (const auto& [name, text] : files) {
    write_bytes(folder / name, text);
    EXPECT_THAT(error_of([&] { probe(folder / name); }),
                HasSubstr(std::string(name) + ": not a video (it reads as "))
        << name;
  }
}

TEST(Probe, DoesNotCallEmptyChunksOfAnAviDamage) {
  const TemporaryFolder folder;
  const VideoInfo whole = probe_of(folder / "v.avi", {.frames = 20, .codec = "mjpeg"});
  std::string bytes = bytes_of(whole.path);
  const size_t rows = bytes.rfind("idx1");
  const size_t frames = bytes.find("strh") + 8 + 32;  // the stream's length in frames
  const std::string row("00dc\x10\0\0\0\0\0\0\0\0\0\0\0", 16);
  bytes[rows + 4] =
      static_cast<char>(bytes[rows + 4] + 3 * 16);  // 20 rows of 16 bytes are 0x140: no carry
  for (int i = 0; i < 3; ++i) bytes += row;
  bytes[frames] = 23;
  write_bytes(folder / "still.avi", bytes);
  const VideoInfo info = probe(folder / "still.avi");
  EXPECT_THAT(info.damage, IsEmpty());
  EXPECT_EQ(info.frames(), 20);
  write_bytes(folder / "cut.avi", bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(fmt::format("{}", fmt::join(probe(folder / "cut.avi").damage, "; ")),
              HasSubstr("truncated"));
}

TEST(Probe, RemembersWhichFileItSaw) {
  const TemporaryFolder folder;
  const VideoInfo info = probe_of(folder / "v.mp4", {});
  EXPECT_EQ(info.stamp(), FileStamp::of(info.path));
  EXPECT_EQ(FileStamp::of(folder / "none.mp4"), std::nullopt);
}

TEST(Probe, SaysWhyACutMp4CannotBeOpened) {
  const TemporaryFolder folder;
  write_numbered(folder / "v.mp4", {.frames = 100});
  std::filesystem::resize_file(folder / "v.mp4", std::filesystem::file_size(folder / "v.mp4") / 2);
  EXPECT_THAT(error_of([&] { probe(folder / "v.mp4"); }), HasSubstr("(moov) is missing"));
}

TEST(Probe, NoticesDamage) {
  const TemporaryFolder folder;
  const SyntheticOptions options{.frames = 120, .width = 160, .height = 160, .b_frames = 2};
  const auto damaged = [&](const std::string& name, double keep, double garbage) {
    write_numbered(folder / name, options);
    std::string bytes = bytes_of(folder / name);
    const auto at = [&](double part) {
      return static_cast<size_t>(part * static_cast<double>(bytes.size()));
    };
    for (size_t i = at(0.5 - garbage / 2); i < at(0.5 + garbage / 2); ++i)
      bytes[i] = static_cast<char>(i * 7919 >> 3);
    write_bytes(folder / name, bytes.substr(0, at(keep)));
    return fmt::format("{}", fmt::join(probe(folder / name).damage, "; "));
  };
  EXPECT_EQ(damaged("healthy.mkv", 1, 0), "");
  EXPECT_THAT(damaged("cut.mkv", 0.5, 0), HasSubstr("truncated: "));
  EXPECT_THAT(damaged("end.mkv", 0.98, 0), HasSubstr("truncated: "));
  EXPECT_THAT(damaged("end.ts", 0.995, 0), HasSubstr("truncated: "));
  EXPECT_THAT(damaged("cut.avi", 0.5, 0), HasSubstr("truncated"));
  EXPECT_THAT(damaged("garbage.mp4", 1, 0.1), ::testing::ContainsRegex("packets? overwritten"));
  EXPECT_THAT(damaged("garbage.ts", 1, 0.1), HasSubstr("corrupt"));
}

}  // namespace
}  // namespace distal
