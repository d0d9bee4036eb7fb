#include "distal/video/decoder.h"

#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <numeric>
#include <set>

#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/video/convert.h"
#include "distal/video/synthetic.h"
#include "distal/video/testing.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

constexpr int64_t kSizes[] = {0, 40};  // short sides: as stored, and scaled

/// A frame as a player meets it: no index, no seeking.
struct Shown {
  double start_s;
  std::vector<uint8_t> rgb[std::size(kSizes)];  // [height, width, 3] at each size
};

Shown shown(const AVFrame& frame, double start_s, const VideoInfo& info, Converter& converter) {
  Shown shown{start_s, {}};
  for (size_t i = 0; i < std::size(kSizes); ++i) {
    const auto [height, width] = Resize{kSizes[i]}.apply(info.height, info.width);
    shown.rgb[i].resize(static_cast<size_t>(3 * height * width));
    converter.convert(frame, info.rotation, height, width, shown.rgb[i].data(), info.mirrored);
  }
  return shown;
}

/// Every frame from the first to the last with the time its container gives; an AVI with B-frames
/// gives none but its rate.
std::vector<Shown> play_timed(const VideoInfo& info, const SyntheticOptions& options) {
  using namespace ffmpeg;
  const Deadline never;
  Input input = open_input(info.path, never);
  const Codec codec = open_decoder(info.path, *input.video);
  const Packet packet = make_packet();
  const Frame frame = make_frame();
  Converter converter;
  const bool counted =
      std::string_view(input.format->iformat->name) == "avi" && options.b_frames > 0;
  int64_t first_pts = AV_NOPTS_VALUE;
  std::vector<Shown> all;
  const auto receive = [&] {
    while (avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
      if (first_pts == AV_NOPTS_VALUE) first_pts = frame->pts;
      const double start_s =
          counted ? static_cast<double>(all.size()) / options.rate
                  : static_cast<double>(frame->pts - first_pts) * av_q2d(input.video->time_base);
      all.push_back(shown(*frame, start_s, info, converter));
    }
  };
  while (read_packet(*input.format, *packet) >= 0) {
    if (packet->stream_index == input.video->index) avcodec_send_packet(codec.get(), packet.get());
    av_packet_unref(packet.get());
    receive();
  }
  avcodec_send_packet(codec.get(), nullptr);
  receive();
  return all;
}

/// The last frame that starts at or before `t_s`, else the first.
size_t frame_at(const std::vector<Shown>& played, double t_s) {
  size_t at = 0;
  while (at + 1 < played.size() && played[at + 1].start_s <= t_s + 1e-6) ++at;
  return at;
}

struct Kind {
  std::string name, file;
  int64_t first_number = 0;  // number painted in the first shown frame
  SyntheticOptions options;
};

std::vector<Kind> kinds() {
  using O = SyntheticOptions;
  return {
      {"constant rate", "constant.mp4", 0, O{}},
      {"variable rate", "variable.mp4", 0, O{.variable_rate = true}},
      {"B-frames", "b.mp4", 0, O{.frames = 50, .b_frames = 3}},
      {"open GOP", "open.mp4", 0, O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"open GOP in Matroska", "open.mkv", 0,
       O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"open GOP in MPEG-TS", "open.ts", 0,
       O{.frames = 60, .b_frames = 3, .gop = 10, .open_gop = true}},
      {"first time not 0", "late.mp4", 0, O{.b_frames = 2, .first_s = 1.5}},
      {"first time not 0 in Matroska", "late.mkv", 0, O{.b_frames = 2, .first_s = 1.5}},
      {"edit list inside a GOP", "edit.mp4", 8, O{.frames = 40, .b_frames = 2, .first_s = -0.32}},
      {"rotated 90", "r90.mp4", 0, O{.width = 80, .height = 48, .rotation = 90}},
      {"rotated 180", "r180.mp4", 0, O{.width = 80, .height = 48, .rotation = 180}},
      {"rotated 270", "r270.mp4", 0, O{.width = 80, .height = 48, .rotation = 270}},
      {"odd size", "odd.mp4", 0, O{.width = 65, .height = 51, .b_frames = 1}},
      {"Matroska", "variable.mkv", 0, O{.variable_rate = true, .b_frames = 2}},
      {"30000/1001 frames per second", "ntsc.mkv", 0, O{.frames = 90, .rate = 29.97}},
      {"MPEG-4 in AVI", "plain.avi", 0, O{.codec = "mpeg4"}},
      {"MPEG-4 with B-frames in AVI", "b.avi", 0, O{.b_frames = 2, .codec = "mpeg4"}},
      {"H.264 with B-frames in AVI", "h264.avi", 0, O{.b_frames = 2}},
      {"MPEG-TS", "plain.ts", 0, O{.frames = 60, .gop = 8}},
      {"MPEG-TS with B-frames", "b.ts", 0, O{.frames = 60, .b_frames = 2, .gop = 8}},
      {"long GOP", "long.mp4", 0, O{.frames = 200, .b_frames = 3, .gop = 250}},
      {"every frame a key", "intra.mp4", 0, O{.gop = 1}},
      {"with audio", "audio.mp4", 0, O{.b_frames = 2, .audio = true}},
      {"with audio in MPEG-TS", "audio.ts", 0, O{.b_frames = 2, .audio = true}},
      {"one frame", "one.mp4", 0, O{.frames = 1}},
      {"lossless", "lossless.mp4", 0, O{.b_frames = 2, .crf = 0}},
  };
}

struct File {
  Kind kind;
  VideoInfo info;
  std::vector<Shown> played;
};

const std::vector<File>& files() {
  static const TemporaryFolder folder;
  static const std::vector<File> all = [] {
    std::vector<File> made;
    for (const Kind& kind : kinds()) {
      const VideoInfo info = numbered(folder / kind.file, kind.options);
      made.push_back({kind, info, play_timed(info, kind.options)});
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
      ASSERT_EQ(read_number(played[i].rgb[0].data(), info.height, info.width),
                kind.first_number + static_cast<int64_t>(i));
      ASSERT_NEAR(info.time_s[i], played[i].start_s, 1e-9) << i;
    }
  }
}

TEST(Decoder, TheIndexHoldsTheTimesThatWereWritten) {
  int checked = 0;
  for (const auto& [kind, info, played] : files()) {
    if (!kind.options.variable_rate) continue;
    SCOPED_TRACE(kind.name);
    const double rounding_s =
        info.container == "mp4" ? 1e-6 : 1.001e-3;  // Matroska counts milliseconds
    int64_t ticks = 0;
    for (int64_t i = 0; i < info.frames(); ++i, ++checked) {
      ASSERT_NEAR(info.time_s[static_cast<size_t>(i)],
                  static_cast<double>(ticks) / 16 / kind.options.rate, rounding_s)
          << i;
      ticks += jittered_ticks(i);
    }
    EXPECT_NEAR(info.duration_s, static_cast<double>(ticks) / 16 / kind.options.rate, 0.04);
  }
  EXPECT_EQ(checked, 64);
}

TEST(Decoder, ShowsTheFrameOfThatMomentAtAnySizeWhateverWasAskedBefore) {
  Random random(7);
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const File& file : files()) decoders.push_back(std::make_unique<Decoder>(file.info));
  for (int draw = 0; draw < 1000; ++draw) {
    const auto which = static_cast<size_t>(draw) % files().size();
    const auto& [kind, info, played] = files()[which];
    const double t_s = random.uniform(-0.1, info.duration_s + 0.1);
    const auto size = static_cast<size_t>(random.below(std::ssize(kSizes)));
    SCOPED_TRACE(
        fmt::format("{}, draw {}, {} s, short side {}", kind.name, draw, t_s, kSizes[size]));
    const size_t expected = frame_at(played, t_s);
    const Frames got = decoders[which]->at_times(std::vector<double>{t_s}, {kSizes[size]});
    ASSERT_TRUE(equal_bytes(got.frames, 0, played[expected].rgb[size]))
        << "frame " << expected << " shows " << number_in(got.frames, 0);
    ASSERT_EQ(number_in(got.frames, 0), kind.first_number + static_cast<int64_t>(expected));
    ASSERT_NEAR(got.time_s[0].item<double>(), played[expected].start_s, 1e-9);
    ASSERT_THAT(got.shown, ::testing::ElementsAre(static_cast<int64_t>(expected)));
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
        ASSERT_TRUE(equal_bytes(got.frames, static_cast<int64_t>(i),
                                played[static_cast<size_t>(indices[i])].rgb[0]));
      }
    }
  }
}

/// The same MP4 with another display matrix: `a b c d` of its track header, +-1 or 0.
std::string with_matrix(std::string bytes, const std::array<int, 4>& matrix) {
  const size_t at = bytes.find("tkhd") + 4 + 40;  // version 0: the matrix follows 40 bytes
  const size_t places[] = {at, at + 4, at + 12, at + 16};
  for (size_t i = 0; i < 4; ++i) {
    const uint32_t fixed = static_cast<uint32_t>(matrix[i]) << 16;
    for (size_t byte = 0; byte < 4; ++byte)
      bytes[places[i] + byte] = static_cast<char>(fixed >> (24 - 8 * byte));
  }
  return bytes;
}

/// Where a matrix puts each pixel of a picture [H, W, 3]: (x, y) to (a x + c y, b x + d y), moved
/// into view.
torch::Tensor moved(const torch::Tensor& picture, const std::array<int, 4>& matrix) {
  const auto [a, b, c, d] = matrix;
  const int64_t height = picture.size(0);
  const int64_t width = picture.size(1);
  const bool lies = a == 0;
  torch::Tensor out =
      torch::zeros({lies ? width : height, lies ? height : width, 3}, torch::kUInt8);
  const int64_t left = (a < 0 ? width - 1 : 0) + (c < 0 ? height - 1 : 0);
  const int64_t top = (b < 0 ? width - 1 : 0) + (d < 0 ? height - 1 : 0);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x)
      out[b * x + d * y + top][a * x + c * y + left] = picture[y][x];
  }
  return out;
}

TEST(Decoder, TurnsAndMirrorsAsTheDisplayMatrixSays) {
  const TemporaryFolder folder;
  const VideoInfo plain = numbered(folder / "plain.mp4", {.frames = 4, .width = 40, .height = 24});
  const std::string bytes = bytes_of(plain.path);
  const torch::Tensor stored = Decoder(plain).at_frames(std::vector<int64_t>{2}, {}).frames[0];
  const std::array<int, 4> matrices[] = {{1, 0, 0, 1},  {0, 1, -1, 0}, {-1, 0, 0, -1},
                                         {0, -1, 1, 0}, {1, 0, 0, -1}, {0, 1, 1, 0},
                                         {-1, 0, 0, 1}, {0, -1, -1, 0}};
  for (size_t i = 0; i < std::size(matrices); ++i) {
    SCOPED_TRACE(i);
    const std::string path = folder / fmt::format("{}.mp4", i);
    write_bytes(path, with_matrix(bytes, matrices[i]));
    const VideoInfo info = probe(path);
    EXPECT_EQ(info.rotation, 90 * static_cast<int>(i % 4));
    EXPECT_EQ(info.mirrored, i >= 4);
    const Frames got = Decoder(info).at_frames(std::vector<int64_t>{2}, {});
    ASSERT_EQ(got.frames.sizes(), (std::vector<int64_t>{1, info.height, info.width, 3}));
    EXPECT_TRUE(got.frames[0].equal(moved(stored, matrices[i])));
  }
}

TEST(Decoder, SeeksOnlyWhenThatIsNearer) {
  const TemporaryFolder folder;
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
  const TemporaryFolder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 60, .gop = 60}));
  decoder.at_frames(std::vector<int64_t>{50, 3, 50, 3}, {});
  EXPECT_EQ(decoder.work().converted, 2);
  EXPECT_GE(decoder.work().decoded, 51);
}

TEST(Decoder, LeavesOutFramesThatNothingNeeds) {
  const TemporaryFolder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.frames = 60, .b_frames = 3, .gop = 60}));
  const Frames got = decoder.at_frames(std::vector<int64_t>{50}, {});
  EXPECT_EQ(number_in(got.frames, 0), 50);
  EXPECT_LT(decoder.work().decoded, 45);
}

// So many that it forgets which (kManySkipped): what was left out comes all the same when it is
// asked for.
TEST(Decoder, ReadsALongVideoInStridesAndThenWhatItLeftOut) {
  const TemporaryFolder folder;
  const VideoInfo info = numbered(
      folder / "long.mp4", {.frames = 600, .width = 32, .height = 32, .b_frames = 2, .gop = 250});
  Decoder decoder(info);
  int64_t seeks = 0;
  const auto number_of = [&](int64_t index) {
    const int64_t number = number_in(decoder.at_frames(std::vector{index}, {}).frames, 0);
    seeks += decoder.work().seeks;
    return number;
  };
  for (int64_t index = 0; index < info.frames(); index += 4) ASSERT_EQ(number_of(index), index);
  EXPECT_EQ(seeks, 1);
  for (const int64_t index : {599, 598, 597, 301, 2, 1}) EXPECT_EQ(number_of(index), index);
}

TEST(Decoder, ScalesToTheShortSide) {
  const TemporaryFolder folder;
  Decoder decoder(numbered(folder / "v.mp4", {.width = 160, .height = 96}));
  for (const int64_t side : {40, 72, 96, 130}) {
    const Frames got = decoder.at_frames(std::vector<int64_t>{5, 21}, {.short_side_px = side});
    EXPECT_EQ(got.frames.size(1), side);
    EXPECT_EQ(got.frames.size(2), (160 * side + 48) / 96);
    EXPECT_THAT(numbers_in(got.frames), ::testing::ElementsAre(5, 21)) << side;
  }
}

TEST(Decoder, ScalesAsAPictureIsScaled) {
  const TemporaryFolder folder;
  write_motion(folder / "v.mp4", "left", 4, {.frames = 1, .width = 160, .height = 120, .crf = 0});
  const VideoInfo info = probe(folder / "v.mp4");
  Decoder decoder(info);
  const auto frame = [&](int64_t side) {
    return decoder.at_frames(std::vector<int64_t>{0}, {side})
        .frames.to(torch::kFloat)
        .permute({0, 3, 1, 2});
  };
  const torch::Tensor whole = frame(0);
  for (const int64_t side : {30, 59, 60, 75, 97, 180}) {
    const torch::Tensor scaled = frame(side);
    const auto expected =
        torch::adaptive_avg_pool2d(whole, {15, 20});  // coarse, so that the filter does not matter
    const auto got = torch::adaptive_avg_pool2d(scaled, {15, 20});
    EXPECT_LT((got - expected).abs().mean().item<double>(), 5) << side;
    EXPECT_LT((got - expected).mean({0, 2, 3}).abs().max().item<double>(), 1.5)
        << side;  // no colour cast
  }
}

TEST(Decoder, ShowsTheColoursThatWerePainted) {
  const TemporaryFolder folder;
  for (const char* name : {"v.mp4", "odd.mp4"}) {
    const int64_t size = name[0] == 'o' ? 65 : 60;
    Decoder decoder(numbered(folder / name, {.width = size, .height = size, .crf = 0}));
    const torch::Tensor frame =
        decoder.at_frames(std::vector<int64_t>{0}, {}).frames[0].to(torch::kInt);
    const torch::Tensor off =
        (frame[5][5] - torch::tensor({230, 200, 60}, torch::kInt)).abs();  // the bright corner
    EXPECT_LE(off.max().item<int>(), 4) << frame[5][5];
  }
}

TEST(Decoder, AnswersAnEmptyRequest) {
  const TemporaryFolder folder;
  Decoder decoder(numbered(folder / "v.mp4"));
  EXPECT_EQ(decoder.at_times({}, {}).frames.sizes(), (std::vector<int64_t>{0, 64, 64, 3}));
}

TEST(Decoder, RefusesAFileThatChangedSinceItWasProbed) {
  const TemporaryFolder folder;
  const VideoInfo info = numbered(folder / "v.mp4");
  write_bytes(info.path, bytes_of(info.path) + "x");
  EXPECT_THAT(error_of([&] { Decoder decoder(info); }), HasSubstr("changed since it was probed"));
  std::filesystem::remove(info.path);
  EXPECT_THAT(error_of([&] { Decoder decoder(info); }), HasSubstr("no such file"));
}

TEST(Decoder, RefusesAFileThatShrinksWhileItIsOpenAndReadsItAgainOnceRestored) {
  const TemporaryFolder folder;
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    SCOPED_TRACE(name);
    const VideoInfo info =
        numbered(folder / name, {.frames = 300, .width = 160, .height = 120, .gop = 20});
    const std::string whole = bytes_of(info.path);
    const auto modified = std::filesystem::last_write_time(info.path);
    Decoder decoder(info);
    EXPECT_EQ(number_in(decoder.at_frames(std::vector<int64_t>{2}, {}).frames, 0), 2);
    std::filesystem::resize_file(info.path, whole.size() / 3);
    for (const std::vector<int64_t>& indices :
         {std::vector<int64_t>{290}, upto(info.frames()), std::vector<int64_t>{3}}) {
      EXPECT_THAT(error_of([&] { decoder.at_frames(indices, {}); }),
                  AllOf(StartsWith(info.path), HasSubstr("changed since it was probed")));
    }
    write_bytes(info.path, whole);
    std::filesystem::last_write_time(info.path, modified);
    EXPECT_EQ(numbers_in(decoder.at_frames(upto(info.frames()), {}).frames), upto(info.frames()));
  }
}

TEST(Decoder, RefusesAFileThatIsWrittenOverWhileItIsOpen) {
  const TemporaryFolder folder;
  const VideoInfo info = numbered(folder / "v.mp4", {.frames = 60});
  Decoder decoder(info);
  const std::string bytes = bytes_of(info.path);
  write_bytes(info.path, bytes);  // as long and even the same, but nobody knows that
  std::filesystem::last_write_time(
      info.path, std::filesystem::last_write_time(info.path) + std::chrono::seconds(1));
  EXPECT_THAT(error_of([&] { decoder.at_frames(std::vector<int64_t>{50}, {}); }),
              HasSubstr("changed since it was probed"));
  EXPECT_THAT(error_of([&] { Decoder again(info); }), HasSubstr("changed since it was probed"));
}

TEST(Decoder, ShowsTheRestOfATruncatedFile) {
  const TemporaryFolder folder;
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
  const TemporaryFolder folder;
  int64_t replaced = 0;
  for (const char* name : {"v.mp4", "v.mkv", "v.ts"}) {
    SCOPED_TRACE(name);
    const std::string path = folder / name;
    write_numbered(path, {.frames = 120, .width = 160, .height = 160, .b_frames = 2, .gop = 12});
    std::string bytes = bytes_of(path);
    Random random(3);
    for (size_t at = bytes.size() * 45 / 100; at < bytes.size() * 55 / 100; ++at)
      bytes[at] = static_cast<char>(random());
    write_bytes(path, bytes);
    const VideoInfo info = probe(path);
    EXPECT_GT(info.frames(), 80);
    const Frames all = Decoder(info).at_frames(upto(info.frames()), {});
    const auto numbers = numbers_in(all.frames);
    EXPECT_EQ(std::vector<int64_t>(numbers.begin(), numbers.begin() + 36), upto(36));
    const std::vector<int64_t> tail(numbers.end() - 36, numbers.end());
    for (size_t i = 0; i < tail.size(); ++i) EXPECT_EQ(tail[i], 84 + static_cast<int64_t>(i));
    for (int64_t index = 0; index < info.frames(); ++index)
      replaced += all.shown[static_cast<size_t>(index)] != index;
    // Whatever else is asked, and in whatever order: the same, also amid the damage.
    Decoder backwards(info);
    Decoder scattered(info);
    for (int64_t index = info.frames() - 1; index >= 0; --index) {
      const Frames one = backwards.at_frames(std::vector<int64_t>{index}, {});
      EXPECT_TRUE(one.frames[0].equal(all.frames[index])) << index;
      EXPECT_EQ(one.shown[0], all.shown[static_cast<size_t>(index)]);
    }
    const std::vector<int64_t> some = {2, 40, 47, 52, 59, 61, 70, 79};
    const Frames few = scattered.at_frames(some, {});
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_TRUE(few.frames[static_cast<int64_t>(i)].equal(all.frames[some[i]])) << some[i];
    }
  }
  EXPECT_GT(replaced, 0);
}

/// An MPEG-TS whose picture `picture`, in the order of decoding, has no time: the flags of its PES
/// header (ISO 13818-1, 2.4.3.7) and the times become stuffing.
std::string without_time(std::string ts, int64_t picture) {
  for (size_t at = 0; at + 188 <= ts.size(); at += 188) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(ts[at + i]); };
    const bool video = ((byte(1) & 0x1f) << 8 | byte(2)) == 0x100;
    const bool begins = (byte(1) & 0x40) != 0;
    if (!video || !begins || picture-- > 0) continue;
    const size_t header = 4 + ((byte(3) & 0x20) != 0 ? 1 + byte(4) : 0);
    ts[at + header + 7] = static_cast<char>(byte(header + 7) & 0x3f);
    std::fill_n(ts.begin() + static_cast<int64_t>(at + header + 9), byte(header + 8), '\xff');
    break;
  }
  return ts;
}

TEST(Decoder, AFrameWithoutATimeIsShownInItsPlace) {
  const TemporaryFolder folder;
  const std::string path = folder / "v.ts";
  write_numbered(path, {.frames = 80, .b_frames = 2, .gop = 8});
  const VideoInfo whole = probe(path);
  write_bytes(path, without_time(bytes_of(path), 35));
  const VideoInfo info = probe(path);
  EXPECT_FALSE(info.seekable);
  EXPECT_THAT(info.damage, ::testing::IsEmpty());
  ASSERT_EQ(info.frames(), 80);
  for (size_t i = 0; i < 80; ++i) EXPECT_NEAR(info.time_s[i], whole.time_s[i], 0.02) << i;
  Decoder decoder(info);
  EXPECT_EQ(numbers_in(decoder.at_frames(upto(80), {}).frames), upto(80));
  for (const int64_t index : {71, 70, 3, 36})
    EXPECT_EQ(number_in(decoder.at_frames(std::vector{index}, {}).frames, 0), index);
}

/// The same MP4 without its table of key frames, which means that every frame is one.
std::string all_keys(std::string mp4) { return mp4.replace(mp4.find("stss"), 4, "free"); }

TEST(Decoder, BelievesTheBytesAndNotTheContainerAboutKeyFrames) {
  const TemporaryFolder folder;
  for (const char* codec : {"libx264", "mpeg4"}) {
    SCOPED_TRACE(codec);
    write_numbered(folder / "v.mp4", {.frames = 40, .b_frames = 2, .gop = 10, .codec = codec});
    const VideoInfo whole = probe(folder / "v.mp4");
    write_bytes(folder / "all.mp4", all_keys(bytes_of(whole.path)));
    const VideoInfo info = probe(folder / "all.mp4");
    EXPECT_TRUE(info.seekable) << info.doubt;
    EXPECT_EQ(info.key, whole.key);
    Decoder decoder(info);
    for (const int64_t index : {35, 17, 9, 38, 2})
      EXPECT_EQ(number_in(decoder.at_frames(std::vector{index}, {}).frames, 0), index);
  }
}

TEST(Decoder, ShowsRecordingsPutTogetherOneAfterTheOther) {
  const TemporaryFolder folder;
  write_numbered(folder / "a.ts", {.frames = 30, .b_frames = 2, .gop = 10});
  write_bytes(folder / "two.ts", bytes_of(folder / "a.ts") + bytes_of(folder / "a.ts"));
  const VideoInfo info = probe(folder / "two.ts");
  EXPECT_FALSE(info.seekable);
  EXPECT_THAT(info.doubt, HasSubstr("time runs back"));
  EXPECT_THAT(info.damage, ::testing::IsEmpty()) << "the counter that begins anew is no damage";
  ASSERT_EQ(info.frames(), 60);
  for (size_t i = 1; i < 60; ++i) {
    if (i == 30)
      EXPECT_GT(info.time_s[i],
                info.time_s[i - 1]);  // a frame later by what the stream says of its rate
    else
      EXPECT_NEAR(info.time_s[i] - info.time_s[i - 1], 1.0 / 25, 0.001) << i;
  }
  Decoder decoder(info);
  for (const int64_t index : {45, 31, 30, 29, 59, 0})
    EXPECT_EQ(number_in(decoder.at_frames(std::vector{index}, {}).frames, 0), index % 30);
}

TEST(Decoder, ShowsTheLastFramesAfterAnOpenGroupOfPictures) {
  const TemporaryFolder folder;
  for (const int64_t frames : {49, 50, 51, 52}) {
    const VideoInfo info = numbered(folder / fmt::format("{}.mp4", frames),
                                    {.frames = frames, .b_frames = 3, .gop = 12, .open_gop = true});
    EXPECT_TRUE(info.seekable) << info.doubt;
    for (int64_t index = frames - 5; index < frames; ++index) {
      Decoder decoder(info);
      EXPECT_EQ(number_in(decoder.at_frames(std::vector{index}, {}).frames, 0), index);
    }
  }
}

TEST(Decoder, PutsTheNearestEarlierFrameForAMissingOne) {
  const TemporaryFolder folder;
  VideoInfo info = numbered(folder / "v.mp4", {.frames = 40, .b_frames = 2});
  info.pts.insert(info.pts.begin() + 20,
                  info.pts[19] + 1);  // the index promises a frame that never comes
  info.time_s.insert(info.time_s.begin() + 20, info.time_s[19] + 1e-4);
  info.key.insert(info.key.begin() + 20, 0);
  Decoder decoder(info);
  EXPECT_THAT(numbers_in(decoder.at_frames(std::vector<int64_t>{20, 19, 21}, {}).frames),
              ::testing::ElementsAre(19, 19, 20));
  EXPECT_THAT(numbers_in(decoder.at_frames(std::vector<int64_t>{20, 3}, {}).frames),
              ::testing::ElementsAre(19, 3));
}

TEST(Decoder, StopsAtTheDeadline) {
  const TemporaryFolder folder;
  Decoder decoder(
      numbered(folder / "v.mp4", {.frames = 200, .width = 320, .height = 240, .gop = 200}));
  const std::string said =
      error_of([&] { decoder.at_frames(std::vector<int64_t>{199}, {}, 0.002); });
  EXPECT_THAT(said, HasSubstr("longer than 0.002 s"));
  EXPECT_THAT(said, HasSubstr("v.mp4"));
  EXPECT_EQ(number_in(decoder.at_frames(std::vector<int64_t>{199}, {}).frames, 0),
            199);  // and goes on afterwards
}

TEST(Decoder, ShowsRealVideosExactly) {
  const std::filesystem::path path =
      DISTAL_SOURCE_DIR "/../shared/data/ucf101-8/Punch/v_Punch_g01_c01.mp4";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the UCF101 sample is not on this machine";
  const VideoInfo info = probe(path.string());
  const auto played = play_timed(info, {});
  ASSERT_EQ(info.frames(), static_cast<int64_t>(played.size()));
  EXPECT_TRUE(info.constant_rate);
  Random random(1);
  Decoder decoder(info);
  for (int draw = 0; draw < 40; ++draw) {
    const int64_t index = random.below(info.frames());
    EXPECT_TRUE(equal_bytes(decoder.at_frames(std::vector<int64_t>{index}, {}).frames, 0,
                            played[static_cast<size_t>(index)].rgb[0]));
  }
}

}  // namespace
}  // namespace distal
