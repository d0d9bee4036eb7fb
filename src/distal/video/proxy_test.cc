#include "distal/video/proxy.h"

#include <filesystem>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/leftovers.h"
#include "distal/video/decoder.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr double kExact_s = 1e-4;

// Ends its work at the second step, as a signal does.
class StopsSoon final : public Progress {
 public:
  void begin(const std::string&, int64_t, const std::string&) override {}
  void end() override {}
  void say(const std::string&) override {}

 private:
  void stepped(int64_t, const std::string&) override {
    if (++steps_ == 2) throw Interrupted(SIGINT);
  }
  int steps_ = 0;
};

class Remembers final : public Progress {
 public:
  void begin(const std::string& what, int64_t total, const std::string& unit) override {
    said += fmt::format("{} {} {}:", what, total, unit);
  }
  void end() override { said += " end"; }
  void say(const std::string&) override {}
  std::string said;

 private:
  void stepped(int64_t done, const std::string&) override { said += fmt::format(" {}", done); }
};

class Proxy : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  // Pictures of tests are small, and so are pieces.
  ProxyOptions options{.short_side_px = 48, .gop = 6, .crf = 10, .piece_s = 0.5};

  Proxies proxies() { return Proxies(folder / "proxies", options); }

  std::string source(const std::string& name, const SyntheticOptions& made) {
    write_numbered(folder / name, made);
    return folder / name;
  }

  // Coded again by ffmpeg's command line, each frame at its time.
  std::string coded_again(const std::string& from, const std::string& name,
                          const std::string& coding) {
    output_of(fmt::format("ffmpeg -nostdin -v error -y -i '{}' -vsync passthrough -enc_time_base "
                          "1:16000 {} '{}' 2>&1",
                          from, coding, folder / name));
    return folder / name;
  }

  static std::vector<int64_t> numbers(const VideoInfo& info) {
    std::vector<int64_t> indices(static_cast<size_t>(info.frames()));
    std::iota(indices.begin(), indices.end(), 0);
    const auto frames = Decoder(info).at_frames(indices, {}).frames;
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < info.frames(); ++i)
      numbers.push_back(
          read_number(frames[i].const_data_ptr<uint8_t>(), frames.size(1), frames.size(2)));
    return numbers;
  }

  static void expect_times(const std::vector<double>& found, const std::vector<double>& right) {
    ASSERT_EQ(found.size(), right.size());
    for (size_t i = 0; i < right.size(); ++i) EXPECT_NEAR(found[i], right[i], kExact_s) << i;
  }

  // A file holds the frames of `span`, each with its number and its time, for our decoder and for
  // ffmpeg's, which says the times that stand in the file: the first of them is `begin_s`.
  void expect_same(const std::string& file, const VideoInfo& video, FrameSpan span,
                   double begin_s = 0) const {
    const VideoInfo copy = probe(file);
    std::vector<double> times;
    for (int64_t i = span.first; i < span.end; ++i)
      times.push_back(video.time_s[static_cast<size_t>(i)] -
                      video.time_s[static_cast<size_t>(span.first)]);
    std::vector<int64_t> right = numbers(video);
    right.erase(right.begin() + span.end, right.end());
    right.erase(right.begin(), right.begin() + span.first);
    EXPECT_TRUE(copy.damage.empty());
    EXPECT_TRUE(copy.seekable) << copy.doubt;
    EXPECT_EQ(copy.rotation, 0);
    expect_times(copy.time_s, times);
    EXPECT_EQ(numbers(copy), right);
    for (double& time_s : times) time_s += begin_s;
    const auto [seen_times, seen] = command_line_frames(file, copy.height, copy.width);
    expect_times(seen_times, times);
    EXPECT_EQ(seen, right);
  }

  void expect_short_groups(const std::string& file) const {
    const VideoInfo copy = probe(file);
    for (int64_t i = 0; i < copy.frames(); ++i)
      EXPECT_EQ(copy.key[static_cast<size_t>(i)], i % options.gop == 0) << i;
  }

  void expect_true_proxies(const std::string& path) {
    SCOPED_TRACE(path);
    const VideoInfo video = probe(path);
    Proxies made = proxies();
    expect_same(made.whole(video), video, {0, video.frames()});
    expect_short_groups(made.whole(video));
    const PiecePlan plan = plan_pieces(video, options.piece_s);
    int64_t next = 0;
    for (int64_t number = 0; number < plan.count(); ++number) {
      const FrameSpan frames = plan.frames(video, number);
      ASSERT_EQ(frames.first, next);
      next = frames.end;
      const std::string piece = made.piece(video, plan, number);
      expect_same(piece, video, frames, video.time_s[static_cast<size_t>(frames.first)]);
      if (!plan.copied) expect_short_groups(piece);
    }
    EXPECT_EQ(next, video.frames());
  }
};

TEST_F(Proxy, HasEveryFrameAtItsTimeWhateverTheSource) {
  const SyntheticOptions plain{.frames = 40, .rate = 30000.0 / 1001, .width = 96, .height = 72};
  auto variable = plain;
  variable.variable_rate = true;
  auto reordered = variable;
  reordered.b_frames = 3;
  reordered.gop = 30;
  auto open = reordered;
  open.gop = 8;
  open.open_gop = true;
  auto late = open;
  late.first_s = 1.5;
  auto hidden = reordered;
  hidden.first_s = -0.2;
  expect_true_proxies(source("plain.mp4", plain));
  expect_true_proxies(source("plain.avi", plain));
  expect_true_proxies(source("variable.mp4", variable));
  expect_true_proxies(source("reordered.mkv", reordered));
  expect_true_proxies(source("open.mp4", open));
  expect_true_proxies(source("late.ts", late));
  expect_true_proxies(source("late.mkv", late));
  expect_true_proxies(source("hidden.mp4", hidden));
}

TEST_F(Proxy, IsUpright) {
  for (const int rotation : {90, 180, 270}) {
    const std::string path = source(
        fmt::format("turned{}.mp4", rotation),
        {.frames = 14, .width = 96, .height = 72, .variable_rate = true, .rotation = rotation});
    expect_true_proxies(path);
    const VideoInfo copy = probe(proxies().whole(probe(path)));
    EXPECT_EQ(std::pair(copy.width, copy.height), std::pair(int64_t{64}, int64_t{48}));
  }
}

TEST_F(Proxy, OfCodecsThatBrowsersLack) {
  const std::string from =
      source("from.mp4", {.frames = 40, .width = 96, .height = 72, .variable_rate = true});
  expect_true_proxies(coded_again(
      from, "hevc.mp4",
      "-c:v libx265 -preset ultrafast -crf 12 -x265-params "
      "log-level=none:bframes=3:keyint=15:min-keyint=15:open-gop=1:pools=1:frame-threads=1"));
  expect_true_proxies(coded_again(
      from, "ten_bits.mp4", "-c:v libx264 -preset veryfast -crf 12 -pix_fmt yuv422p10le -bf 2"));
  expect_true_proxies(coded_again(from, "old.avi", "-c:v mpeg4 -q:v 2 -r 25"));
}

TEST_F(Proxy, IsOfTheKindThatEveryBrowserPlays) {
  const VideoInfo video = probe(
      source("v.mp4", {.frames = 30, .width = 90, .height = 70, .b_frames = 2, .audio = true}));
  const std::string path = proxies().whole(video);
  EXPECT_EQ(output_of("ffprobe -v error -show_entries stream=codec_name,profile,pix_fmt,"
                      "has_b_frames,color_range,color_space -of csv=p=0 '" +
                      path + "'"),
            "h264,Main,0,yuv420p,tv,smpte170m\n");
  EXPECT_EQ(output_of("ffprobe -v error -show_entries frame=pict_type -of csv=p=0 '" + path + "'")
                .find('B'),
            std::string::npos);
  const std::string bytes = bytes_of(path);
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat")) << "the index is in front";
  EXPECT_THAT(path, StartsWith(folder / "proxies/" + video.id));
}

TEST_F(Proxy, ColoursAreThoseOfTheVideo) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 2, .width = 96, .height = 72}));
  const VideoInfo copy = probe(proxies().whole(video));
  const std::vector<int64_t> first = {0};
  const auto right = Decoder(video).at_frames(first, {48}).frames.to(torch::kFloat);
  const auto found = Decoder(copy).at_frames(first, {}).frames.to(torch::kFloat);
  EXPECT_LT((right - found).abs().mean().item<double>(), 4);
}

TEST_F(Proxy, PiecesBeginWithTheFirstFrameBehindEachEdge) {
  VideoInfo video = probe(source("v.mp4", {.frames = 5, .gop = 50, .codec = "mpeg4"}));
  video.time_s = {0, 0.3, 0.4999999, 0.7, 2.2};
  video.duration_s = 2.4;
  const PiecePlan plan = plan_pieces(video, 0.5);
  EXPECT_FALSE(plan.copied);
  EXPECT_EQ(plan.first, (std::vector<int64_t>{0, 2, 4}));
  EXPECT_EQ(plan.frames(video, 1).end, 4);
  EXPECT_EQ(plan.frames(video, 2).end, 5);
  Proxies made = proxies();
  EXPECT_THAT(error_of([&] { made.piece(video, plan, 3); }), HasSubstr("numbers 0 to 2"));
  EXPECT_THAT(error_of([&] { made.piece(video, plan, -1); }), HasSubstr("no piece -1"));
}

TEST_F(Proxy, PiecesOfWhatBrowsersPlayHoldItsOwnPackets) {
  const std::string path = source("v.mkv", {.frames = 60, .width = 96, .height = 72, .gop = 10});
  const VideoInfo video = probe(path);
  const PiecePlan plan = plan_pieces(video, options.piece_s);
  EXPECT_TRUE(plan.copied);
  EXPECT_EQ(plan.first, (std::vector<int64_t>{0, 20, 30, 40, 50}))
      << "at the first key frame behind 0.5, 1, 1.5 and 2 s";
  Proxies made = proxies();
  const VideoInfo piece = probe(made.piece(video, plan, 1));
  EXPECT_EQ(std::pair(piece.width, piece.height), std::pair(int64_t{96}, int64_t{72}));
  const std::vector<int64_t> third = {3};
  EXPECT_TRUE(torch::equal(Decoder(piece).at_frames(third, {}).frames,
                           Decoder(video).at_frames(std::vector<int64_t>{23}, {}).frames))
      << "nothing was coded again";
}

TEST_F(Proxy, WhatIsThereIsTakenAndWhatIsNotIsMade) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 40}));
  Proxies made = proxies();
  EXPECT_FALSE(made.has_whole(video));
  const std::string path = made.whole(video);
  EXPECT_TRUE(made.has_whole(video));
  write_bytes(path, "kept");
  EXPECT_EQ(made.whole(video), path);
  EXPECT_EQ(bytes_of(path), "kept");
  write_bytes(path, "");
  EXPECT_FALSE(made.has_whole(video)) << "an empty file is none";
  EXPECT_GT(bytes_of(made.whole(video)).size(), 100u);
  const PiecePlan plan = plan_pieces(video, options.piece_s);
  EXPECT_FALSE(made.has_piece(video, plan, 1));
  made.piece(video, plan, 1);
  EXPECT_TRUE(made.has_piece(video, plan, 1));
  EXPECT_FALSE(made.has_piece(video, plan, 0));
  options.crf = 30;
  EXPECT_FALSE(proxies().has_whole(video)) << "other options, another file";
  VideoInfo other = video;
  other.id = "another content";
  EXPECT_FALSE(made.has_whole(other));
}

TEST_F(Proxy, AnInterruptedOneLeavesNothingAndIsMadeAgain) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 100}));
  Proxies made = proxies();
  StopsSoon signal;
  EXPECT_THROW(made.whole(video, &signal), Interrupted);
  EXPECT_FALSE(made.has_whole(video));
  for (const auto& entry : fs::recursive_directory_iterator(folder / "proxies"))
    EXPECT_TRUE(entry.is_directory()) << entry.path();
  Remembers progress;
  expect_same(made.whole(video, &progress), video, {0, 100});
  EXPECT_EQ(progress.said, "making a proxy 100 frames: 32 64 96 100 end");
}

TEST_F(Proxy, WhatAKilledProcessLeftIsClearedAndNotTaken) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 5}));
  const fs::path path = proxies().whole(video);
  const fs::path left = path.parent_path() / unfinished_name(path.filename().string(), 1);
  fs::rename(path, left);
  Proxies made = proxies();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(made.has_whole(video));
}

TEST_F(Proxy, ThreadsThatAskForTheSameFileMakeItOnce) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 60}));
  Proxies made = proxies();
  std::array<Remembers, 4> progress;
  std::vector<std::thread> threads;
  for (auto& each : progress) threads.emplace_back([&] { made.whole(video, &each); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(std::count_if(progress.begin(), progress.end(),
                          [](const Remembers& each) { return !each.said.empty(); }),
            1);
}

TEST_F(Proxy, ThoseNotAskedForGoFirst) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 40}));
  Proxies made = proxies();
  const PiecePlan plan = plan_pieces(video, options.piece_s);
  const std::string old = made.piece(video, plan, 0);
  const std::string kept = made.piece(video, plan, 1);
  const std::string newest = made.piece(video, plan, 2);
  const auto age = [](const std::string& path, int hours) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  age(old, 3);
  age(kept, 4);
  age(newest, 1);
  made.piece(video, plan, 1);  // asked for again
  made.keep_at_most(static_cast<int64_t>(fs::file_size(kept) + fs::file_size(newest)));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_TRUE(fs::exists(newest));
  made.keep_at_most(0);
  EXPECT_FALSE(made.has_piece(video, plan, 1));
}

TEST_F(Proxy, AVideoThatChangedIsRefused) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 5}));
  write_numbered(folder / "v.mp4", {.frames = 6});
  Proxies made = proxies();
  EXPECT_THAT(error_of([&] { made.whole(video); }), HasSubstr("changed since it was probed"));
  EXPECT_FALSE(made.has_whole(video));
}

TEST_F(Proxy, AFolderThatCannotBeWrittenIsNotTheVideosFault) {
  const VideoInfo video = probe(source("v.mp4", {.frames = 5}));
  Proxies made = proxies();
  fs::remove_all(folder / "proxies");
  write_bytes(folder / "proxies", "a file stands there");
  EXPECT_THAT(error_of([&] { made.whole(video); }), HasSubstr("folder cannot be made"));
}

}  // namespace
}  // namespace distal
