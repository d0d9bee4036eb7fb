#include "distal/deploy/sources.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/testing.h"
#include "distal/video/image.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(const std::vector<std::string>& words, const std::string& folder,
                                  double picture_rate = 0) {
  std::vector<std::string> names;
  for (const auto& source : sources_of(words, picture_rate))
    names.push_back(std::filesystem::path(source.name).lexically_relative(folder).string());
  return names;
}

void put(const TemporaryFolder& folder, const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(folder / path).parent_path());
  folder.write(path, "x");
}

TEST(Sources, AFolderIsItsVideosInNaturalOrder) {
  const TemporaryFolder folder;
  for (const char* path :
       {"b10.mp4", "b9.MKV", "a/c.avi", ".hidden.mp4", ".git/d.mp4", "notes.txt", "thumbs/1.jpg"})
    put(folder, path);
  EXPECT_THAT(names_of({folder.path()}, folder.path()),
              ElementsAre("a/c.avi", "b9.MKV", "b10.mp4"));
}

TEST(Sources, APatternIsWhatMatchesAndAFileIsAFileWhateverItsName) {
  const TemporaryFolder folder;
  for (const char* path : {"cam2.mp4", "cam10.mp4", "cam[1].mp4", "other.mp4", "day1/x.mp4"})
    put(folder, path);
  EXPECT_THAT(names_of({folder / "cam*.mp4"}, folder.path()),
              ElementsAre("cam2.mp4", "cam10.mp4", "cam[1].mp4"));
  EXPECT_THAT(names_of({folder / "cam[1].mp4"}, folder.path()), ElementsAre("cam[1].mp4"));
  EXPECT_THAT(names_of({folder / "day?", folder / "absent.mp4"}, folder.path()),
              ElementsAre("day1/x.mp4", "absent.mp4"))
      << "what is absent is a file, whose line says so";
  EXPECT_THAT(error_of([&] { sources_of({folder / "no*"}, 0); }), HasSubstr("no file matches"));
}

TEST(Sources, AFolderOfPicturesIsOneVideoWhereItsRateIsSaid) {
  const TemporaryFolder folder;
  for (const char* path :
       {"op/f10.jpg", "op/f9.jpg", "op/readme.txt", "with/v.mp4", "with/poster.png"})
    put(folder, path);
  const auto sources = sources_of({folder.path()}, 25);
  ASSERT_EQ(std::ssize(sources), 2);
  EXPECT_EQ(sources[0].kind, Source::Kind::pictures);
  EXPECT_THAT(sources[0].pictures, ElementsAre(folder / "op/f9.jpg", folder / "op/f10.jpg"));
  EXPECT_EQ(sources[1].path, folder / "with/v.mp4") << "a poster beside a video is no video";
  EXPECT_THAT(error_of<UsageError>([&] { sources_of({folder / "op"}, 0); }),
              HasSubstr("2 pictures and no video; say how many a second there are"));
  EXPECT_THAT(names_of({folder.path()}, folder.path()), ElementsAre("with/v.mp4"));
}

TEST(Sources, AddressesAreRtspAloneAndLoseTheirPassword) {
  const auto sources = sources_of({"rtsp://me:se:c@ret@cam.local:554/h264?a=b@c"}, 0);
  EXPECT_EQ(sources[0].live.address, "rtsp://me:se:c@ret@cam.local:554/h264?a=b@c");
  EXPECT_EQ(sources[0].name, "rtsp://me:***@cam.local:554/h264?a=b@c");
  EXPECT_EQ(without_password("rtsp://cam/x:y@z"), "rtsp://cam/x:y@z");
  EXPECT_EQ(without_password("rtsp://me@cam"), "rtsp://me@cam");
  for (const char* address :
       {"http://a/b.mp4", "file:///etc/passwd", "concat://a", "tcp://a:1", "srt://a"})
    EXPECT_THAT(error_of<UsageError>([&] { sources_of({address}, 0); }),
                HasSubstr("only rtsp:// and rtsps:// are opened"));
}

TEST(Sources, DevicesAreCamerasAlone) {
  EXPECT_THAT(error_of([] { sources_of({"/dev/null"}, 0); }), HasSubstr("not a camera"));
  EXPECT_THAT(error_of([] { sources_of({"v4l2:/dev/null"}, 0); }), HasSubstr("not a camera"));
  EXPECT_THAT(error_of([] { sources_of({"v4l2:/dev/absent"}, 0); }), HasSubstr("no such camera"));
}

TEST(Sources, APipeBecomesAFileThatNobodySees) {
  const TemporaryFolder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto sources = sources_of({path}, 0);
  ASSERT_EQ(sources[0].kind, Source::Kind::live);
  const std::string sent(300'000, 'v');
  std::thread writer([&] { std::ofstream(path, std::ios::binary) << sent; });
  const auto file = file_of(sources[0], 0);
  writer.join();
  EXPECT_EQ(bytes_of(file.path), sent);
  std::thread nothing([&] { std::ofstream(path, std::ios::binary).flush(); });
  EXPECT_THAT(error_of([&] { file_of(sources[0], 0); }), HasSubstr("nothing came"));
  nothing.join();
}

TEST(Sources, PicturesBecomeAFileThatSaysWhatIsMissing) {
  const TemporaryFolder folder;
  for (int i = 8; i < 12; ++i)
    folder.write(fmt::format("{}.jpg", i),
                 encode_jpeg(torch::full({16, 16, 3}, 20 * i, torch::kUInt8)));
  write_bytes(folder / "9.jpg", "no picture");
  const auto sources = sources_of({folder.path()}, 4);
  const auto file = file_of(sources[0], 4);
  EXPECT_THAT(file.damage, HasSubstr("1 of 4 pictures left out: 9.jpg"));
  const VideoInfo info = probe(file.path);
  EXPECT_EQ(info.frames(), 3);
  EXPECT_NEAR(info.time_s[1], 0.5, 1e-6);
}

TEST(Sources, AServerHasNoEndAndNeedsAStream) {
  const auto sources = sources_of({"rtsp://cam/"}, 0);
  EXPECT_THAT(error_of<UsageError>([&] { file_of(sources[0], 0); }), HasSubstr("give --stream"));
}

TEST(NaturalLess, ComparesNumbersInNamesAsNumbers) {
  std::vector<std::string> names = {"b1",  "a10", "a9", "a",     "a009",
                                    "a9b", "2",   "10", "a1x10", "a1x9"};
  std::sort(names.begin(), names.end(), natural_less);
  EXPECT_THAT(names,
              ElementsAre("2", "10", "a", "a1x9", "a1x10", "a009", "a9", "a9b", "a10", "b1"));
  EXPECT_FALSE(natural_less("a9", "a9"));
  EXPECT_TRUE(natural_less("a", "\xC3\xA4")) << "bytes, not signed characters";
  EXPECT_TRUE(natural_less("99999999999999999999", "100000000000000000000"))
      << "longer than a word";
}

TEST(NamelessFile, IsGoneWithItsOwner) {
  std::string path;
  {
    NamelessFile file;
    path = file.path();
    write_bytes(path, "kept");
    const NamelessFile moved = std::move(file);
    EXPECT_EQ(bytes_of(moved.path()), "kept");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace distal
