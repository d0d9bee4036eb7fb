#include "video/decoder.h"

#include <gmock/gmock.h>

#include <cstring>
#include <numeric>

#include "base/random.h"
#include "video/scratch.h"

namespace distal {
namespace {

using namespace scratch;
using ::testing::HasSubstr;

VideoInfo numbered(const std::string& path, const SyntheticOptions& options = {}) {
  write_numbered(path, options);
  return probe(path);
}

int64_t number_in(const torch::Tensor& frames, int64_t row) {
  const torch::Tensor frame = frames[row].contiguous();
  return read_number(frame.data_ptr<uint8_t>(), frame.size(0), frame.size(1));
}

std::vector<int64_t> numbers_in(const torch::Tensor& frames) {
  std::vector<int64_t> numbers;
  for (int64_t row = 0; row < frames.size(0); ++row) numbers.push_back(number_in(frames, row));
  return numbers;
}

std::vector<int64_t> upto(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

bool equal_bytes(const torch::Tensor& frames, int64_t row, const std::vector<uint8_t>& expected) {
  const torch::Tensor frame = frames[row].contiguous();
  return frame.numel() == static_cast<int64_t>(expected.size()) &&
         std::memcmp(frame.data_ptr<uint8_t>(), expected.data(), expected.size()) == 0;
}

struct File {
  Kind kind;
  VideoInfo info;
  std::vector<std::vector<uint8_t>> played;
};

const std::vector<File>& files() {
  static const Folder folder;
  static const std::vector<File> all = [] {
    std::vector<File> made;
    for (const Kind& kind : kinds()) {
      const VideoInfo info = numbered(folder / kind.file, kind.options);
      made.push_back({kind, info, play(info)});
    }
    return made;
  }();
  return all;
}

TEST(Decoder, TheIndexListsTheFramesThatAPlayerShows) {
  for (const auto& [kind, info, played] : files()) {
    SCOPED_TRACE(kind.name);
    EXPECT_THAT(info.damage, ::testing::IsEmpty());
    ASSERT_EQ(info.frames(), static_cast<int64_t>(played.size()));
    ASSERT_EQ(info.frames(), kind.options.frames - kind.first_number);
    for (size_t i = 0; i < played.size(); ++i) {
      ASSERT_EQ(read_number(played[i].data(), info.height, info.width), kind.first_number + static_cast<int64_t>(i));
    }
  }
}

TEST(Decoder, ShowsTheSameFrameWhateverWasAskedBefore) {
  Random random(7);
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const File& file : files()) decoders.push_back(std::make_unique<Decoder>(file.info));
  for (int draw = 0; draw < 600; ++draw) {
    const auto which = static_cast<size_t>(draw) % files().size();
    const auto& [kind, info, played] = files()[which];
    SCOPED_TRACE(fmt::format("{}, draw {}", kind.name, draw));
    const double t_s = random.uniform(-0.1, info.duration_s + 0.1);
    const int64_t index = info.frame_at(t_s);
    const Frames got = decoders[which]->at_times(std::vector<double>{t_s}, {});
    ASSERT_TRUE(equal_bytes(got.frames, 0, played[static_cast<size_t>(index)])) << "frame " << index << " shows " << number_in(got.frames, 0);
    ASSERT_EQ(number_in(got.frames, 0), kind.first_number + index);
    ASSERT_EQ(got.time_s[0].item<double>(), info.time_s[static_cast<size_t>(index)]);
  }
}

TEST(Decoder, ShowsManyFramesInTheOrderAsked) {
  Random random(8);
  for (const auto& [kind, info, played] : files()) {
    SCOPED_TRACE(kind.name);
    Decoder decoder(info);
    for (int call = 0; call < 6; ++call) {
      std::vector<int64_t> indices;
      for (int i = 0; i < 8; ++i) indices.push_back(random.below(info.frames()));
      const Frames got = decoder.at_frames(indices, {});
      for (size_t i = 0; i < indices.size(); ++i) {
        ASSERT_TRUE(equal_bytes(got.frames, static_cast<int64_t>(i), played[static_cast<size_t>(indices[i])]));
      }
    }
  }
}

TEST(Decoder, SeeksOnlyWhenThatIsNearer) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 100, .gop = 25}));
  decoder.at_frames(std::vector<int64_t>{10}, {});
  EXPECT_EQ(decoder.work().seeks, 1);
  decoder.at_frames(std::vector<int64_t>{12, 20, 26}, {});
  EXPECT_EQ(decoder.work().seeks, 0);
  decoder.at_frames(std::vector<int64_t>{80}, {});
  EXPECT_EQ(decoder.work().seeks, 1);
  EXPECT_EQ(decoder.work().decoded, 6);  // from the key frame 75
}

TEST(Decoder, ConvertsOnlyTheFramesAsked) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 60, .gop = 60}));
  decoder.at_frames(std::vector<int64_t>{50, 3, 50, 3}, {});
  EXPECT_EQ(decoder.work().converted, 2);
  EXPECT_GE(decoder.work().decoded, 51);
}

TEST(Decoder, LeavesOutFramesThatNothingNeeds) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 60, .b_frames = 3, .gop = 60}));
  const Frames got = decoder.at_frames(std::vector<int64_t>{50}, {});
  EXPECT_EQ(number_in(got.frames, 0), 50);
  EXPECT_LT(decoder.work().decoded, 45);
}

TEST(Decoder, ScalesToTheShortSide) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.width = 160, .height = 96}));
  for (const int64_t side : {40, 72, 96, 130}) {
    const Frames got = decoder.at_frames(std::vector<int64_t>{5, 21}, {.short_side_px = side});
    EXPECT_EQ(got.frames.size(1), side);
    EXPECT_EQ(got.frames.size(2), (160 * side + 48) / 96);
    EXPECT_THAT(numbers_in(got.frames), ::testing::ElementsAre(5, 21)) << side;
  }
}

TEST(Decoder, ScalesAsAPictureIsScaled) {
  const Folder folder;
  write_motion(folder / "v.mp4", "left", 4, {.frames = 1, .width = 160, .height = 120, .crf = 0});
  const VideoInfo info = probe(folder / "v.mp4");
  Decoder decoder(info);
  const auto frame = [&](int64_t side) {
    return decoder.at_frames(std::vector<int64_t>{0}, {side}).frames.to(torch::kFloat).permute({0, 3, 1, 2});
  };
  const torch::Tensor whole = frame(0);
  for (const int64_t side : {30, 59, 60, 75, 97, 180}) {
    const torch::Tensor scaled = frame(side);
    const auto expected = torch::adaptive_avg_pool2d(whole, {15, 20});  // coarse, so that the filter does not matter
    const auto got = torch::adaptive_avg_pool2d(scaled, {15, 20});
    EXPECT_LT((got - expected).abs().mean().item<double>(), 5) << side;
    EXPECT_LT((got - expected).mean({0, 2, 3}).abs().max().item<double>(), 1.5) << side;  // no colour cast
  }
}

TEST(Decoder, ShowsTheColoursThatWerePainted) {
  const Folder folder;
  for (const char* name : {"v.mp4", "odd.mp4"}) {
    const int64_t size = name[0] == 'o' ? 65 : 60;
    Decoder decoder(numbered(folder / name, {.width = size, .height = size, .crf = 0}));
    const torch::Tensor frame = decoder.at_frames(std::vector<int64_t>{0}, {}).frames[0].to(torch::kInt);
    const torch::Tensor off = (frame[5][5] - torch::tensor({230, 200, 60}, torch::kInt)).abs();  // the bright corner
    EXPECT_LE(off.max().item<int>(), 4) << frame[5][5];
  }
}

TEST(Decoder, AnswersAnEmptyRequest) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4"));
  EXPECT_EQ(decoder.at_times({}, {}).frames.sizes(), (std::vector<int64_t>{0, 64, 64, 3}));
}

TEST(Decoder, RefusesAFileThatChangedSinceItWasProbed) {
  const Folder folder;
  const VideoInfo info = numbered(folder / "v.mp4");
  write_bytes(info.path, bytes_of(info.path) + "x");
  EXPECT_THAT(error_of([&] { Decoder decoder(info); }), HasSubstr("changed since it was probed"));
  std::filesystem::remove(info.path);
  EXPECT_THAT(error_of([&] { Decoder decoder(info); }), HasSubstr("no such file"));
}

TEST(Decoder, SurvivesAFileThatShrinksWhileItIsOpen) {
  const Folder folder;
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    SCOPED_TRACE(name);
    const VideoInfo info = numbered(folder / name, {.frames = 300, .width = 160, .height = 120, .gop = 20});
    Decoder decoder(info);
    EXPECT_EQ(number_in(decoder.at_frames(std::vector<int64_t>{2}, {}).frames, 0), 2);
    std::filesystem::resize_file(info.path, std::filesystem::file_size(info.path) / 3);
    const std::string said = error_of([&] {
      const auto numbers = numbers_in(decoder.at_frames(upto(info.frames()), {}).frames);
      EXPECT_EQ(numbers[3], 3);
      EXPECT_LT(numbers.back(), 299);  // an earlier frame stands for those that are gone
    });
    EXPECT_TRUE(said.empty() || said.find(info.path) == 0) << said;
  }
}

TEST(Decoder, ShowsTheRestOfATruncatedFile) {
  const Folder folder;
  for (const char* name : {"v.mkv", "v.ts"}) {
    SCOPED_TRACE(name);
    const VideoInfo whole = numbered(folder / name, {.frames = 100, .b_frames = 2, .gop = 10});
    std::filesystem::resize_file(whole.path, std::filesystem::file_size(whole.path) / 2);
    const VideoInfo info = probe(whole.path);
    EXPECT_GT(info.frames(), 25);
    EXPECT_LT(info.frames(), 75);
    Decoder decoder(info);
    const auto numbers = numbers_in(decoder.at_frames(upto(info.frames() - 4), {}).frames);
    EXPECT_EQ(numbers, upto(info.frames() - 4));
    EXPECT_NO_THROW(decoder.at_frames(std::vector<int64_t>{info.frames() - 1}, {}));
  }
}

TEST(Decoder, ShowsWhatLiesAroundDamage) {
  const Folder folder;
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    SCOPED_TRACE(name);
    const std::string path = folder / name;
    write_numbered(path, {.frames = 120, .width = 160, .height = 160, .b_frames = 2, .gop = 12});
    std::string bytes = bytes_of(path);
    Random random(3);
    for (size_t at = bytes.size() * 45 / 100; at < bytes.size() * 55 / 100; ++at) bytes[at] = static_cast<char>(random());
    write_bytes(path, bytes);
    const VideoInfo info = probe(path);
    EXPECT_GT(info.frames(), 80);
    const auto numbers = numbers_in(Decoder(info).at_frames(upto(info.frames()), {}).frames);
    EXPECT_EQ(std::vector<int64_t>(numbers.begin(), numbers.begin() + 36), upto(36));
    const std::vector<int64_t> tail(numbers.end() - 36, numbers.end());
    for (size_t i = 0; i < tail.size(); ++i) EXPECT_EQ(tail[i], 84 + static_cast<int64_t>(i));
    Decoder decoder(info);  // the same from the end to the start
    for (int64_t index = info.frames() - 1; index >= 0; index -= 5) {
      const int64_t number = number_in(decoder.at_frames(std::vector<int64_t>{index}, {}).frames, 0);
      if (index < 36 || index >= info.frames() - 36) {
        EXPECT_EQ(number, numbers[static_cast<size_t>(index)]);
      }
    }
  }
}

TEST(Decoder, PutsTheNearestEarlierFrameForAMissingOne) {
  const Folder folder;
  VideoInfo info = numbered(folder / "v.mp4", {.frames = 40, .b_frames = 2});
  info.pts.insert(info.pts.begin() + 20, info.pts[19] + 1);  // the index promises a frame that never comes
  info.time_s.insert(info.time_s.begin() + 20, info.time_s[19] + 1e-4);
  info.key.insert(info.key.begin() + 20, 0);
  Decoder decoder(info);
  EXPECT_THAT(numbers_in(decoder.at_frames(std::vector<int64_t>{20, 19, 21}, {}).frames), ::testing::ElementsAre(19, 19, 20));
  EXPECT_THAT(numbers_in(decoder.at_frames(std::vector<int64_t>{20, 3}, {}).frames), ::testing::ElementsAre(19, 3));
}

TEST(Decoder, StopsAtTheDeadline) {
  const Folder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 200, .width = 320, .height = 240, .gop = 200}));
  const std::string said = error_of([&] { decoder.at_frames(std::vector<int64_t>{199}, {}, 0.002); });
  EXPECT_THAT(said, HasSubstr("longer than 0.002 s"));
  EXPECT_THAT(said, HasSubstr("v.mp4"));
  EXPECT_EQ(number_in(decoder.at_frames(std::vector<int64_t>{199}, {}).frames, 0), 199);  // and goes on afterwards
}

TEST(Decoder, ShowsRealVideosExactly) {
  const std::filesystem::path path = DISTAL_SOURCE_DIR "/../shared/data/ucf101-8/Punch/v_Punch_g01_c01.mp4";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the UCF101 sample is not on this machine";
  const VideoInfo info = probe(path.string());
  const auto played = play(info);
  ASSERT_EQ(info.frames(), static_cast<int64_t>(played.size()));
  EXPECT_TRUE(info.constant_rate);
  Random random(1);
  Decoder decoder(info);
  for (int draw = 0; draw < 40; ++draw) {
    const int64_t index = random.below(info.frames());
    EXPECT_TRUE(equal_bytes(decoder.at_frames(std::vector<int64_t>{index}, {}).frames, 0, played[static_cast<size_t>(index)]));
  }
}

}  // namespace
}  // namespace distal
