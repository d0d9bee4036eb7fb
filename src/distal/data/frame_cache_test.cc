#include "distal/data/frame_cache.h"

#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "distal/base/files.h"
#include "distal/base/leftovers.h"
#include "distal/base/random.h"
#include "distal/data/cache_error.h"
#include "distal/data/testing.h"
#include "distal/video/decoder.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Indices = std::vector<int64_t>;
constexpr double kDeadline_s = 30;

CacheOptions options_of(const TemporaryFolder& folder, double gigabytes = 1) {
  return {folder / "cache", gigabytes};
}

std::vector<std::string> cache_files(const TemporaryFolder& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache")) {
    if (entry.path().extension() == ".frames") files.push_back(entry.path().string());
  }
  return files;
}

int64_t disk_bytes(const TemporaryFolder& folder) {
  int64_t total = 0;
  for (const auto& path : cache_files(folder)) {
    struct stat file {};
    stat(path.c_str(), &file);
    total += file.st_blocks * 512;
  }
  return total;
}

void overwrite(const std::string& path, int64_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << bytes;
}

// Runs the body in a child process; true where it returned true.
template <class Body>
bool in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    bool good = false;
    try {
      good = body();
    } catch (...) {
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(FrameCache, GivesTheFramesAskedForInTheirOrder) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  const Indices indices = {3, 17, 4, 4, 31};
  const auto view = cache.read(video, indices, {}, 48, kDeadline_s);
  EXPECT_EQ(std::min(view.height, view.width), 48);
  EXPECT_EQ(numbers(view), indices);
}

TEST(FrameCache, HoldsWhatTheDecoderGives) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  const Indices indices = {0, 9, 10, 30};
  const auto decoded = Decoder(video).at_frames(indices, {40}).frames;
  EXPECT_TRUE(cache.read(video, indices, {}, 40, kDeadline_s).tensor().equal(decoded));
  EXPECT_TRUE(cache.read(video, indices, {}, 40, kDeadline_s).tensor().equal(decoded));
}

TEST(FrameCache, AHitDecodesNothing) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  cache.read(video, Indices{1, 2}, Indices{2, 5, 6}, 48, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 1);
  EXPECT_EQ(cache.counts().decoded_frames, 4);
  EXPECT_EQ(numbers(cache.read(video, Indices{5, 6}, Indices{9}, 48, kDeadline_s)),
            (Indices{5, 6}));
  EXPECT_EQ(cache.counts().hits, 1);
  EXPECT_EQ(cache.counts().decoded_frames, 4);
  cache.read(video, Indices{5, 7}, {}, 48, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 2);
  EXPECT_EQ(cache.counts().decoded_frames, 5);  // only what was missing
  cache.read(video, Indices{5}, {}, 32, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 3);  // another size is another file
}

TEST(FrameCache, AHitIsAViewIntoTheFile) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  cache.read(video, Indices{4, 5, 6}, {}, 48, kDeadline_s);
  const auto one = cache.read(video, Indices{4, 5, 6}, {}, 48, kDeadline_s);
  const auto two = cache.read(video, Indices{5}, {}, 48, kDeadline_s);
  EXPECT_EQ(one.frames[1], two.frames[0]);
  EXPECT_EQ(one.tensor().const_data_ptr<uint8_t>(), one.frames[0]);  // frames in a row need no copy
}

TEST(FrameCache, TheNextRunFindsTheFrames) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache(options_of(folder)).read(video, Indices{1, 20}, {}, 48, kDeadline_s);
  std::filesystem::remove(video.path);  // a hit needs no video
  FrameCache cache(options_of(folder));
  EXPECT_EQ(numbers(cache.read(video, Indices{20, 1}, {}, 48, kDeadline_s)), (Indices{20, 1}));
  EXPECT_EQ(cache.counts().misses, 0);
}

TEST(FrameCache, AViewOutlivesTheCacheAndTheFile) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameView view;
  torch::Tensor tensor;
  {
    FrameCache cache(options_of(folder));
    view = cache.read(video, Indices{7, 8}, {}, 48, kDeadline_s);
    tensor = cache.read(video, Indices{7, 8}, {}, 48, kDeadline_s).tensor();
  }
  for (const auto& path : cache_files(folder)) std::filesystem::remove(path);
  EXPECT_EQ(numbers(view), (Indices{7, 8}));
  EXPECT_EQ(numbers(FrameView::of(tensor)), (Indices{7, 8}));
}

TEST(FrameCache, RebuildsAFileThatIsNoCacheFile) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache(options_of(folder)).read(video, Indices{1}, {}, 48, kDeadline_s);
  const auto path = cache_files(folder).at(0);
  for (const std::string& bytes : {std::string(), std::string("short"), std::string(200000, 'x')}) {
    std::filesystem::remove(path);
    std::ofstream(path) << bytes;
    FrameCache cache(options_of(folder));
    EXPECT_EQ(numbers(cache.read(video, Indices{1, 2}, {}, 48, kDeadline_s)), (Indices{1, 2}));
    EXPECT_EQ(cache.counts().decoded_frames, 2);
  }
}

TEST(FrameCache, DecodesASpoiledFrameAgain) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameView before;
  {
    FrameCache cache(options_of(folder));
    before = cache.read(video, Indices{1, 2}, {}, 48, kDeadline_s);
  }
  const auto truth = before.tensor().clone();
  before = {};
  overwrite(cache_files(folder).at(0), 4096 + 2 * truth[0].numel() + 777, "spoiled");
  FrameCache cache(options_of(folder));
  EXPECT_TRUE(cache.read(video, Indices{1, 2}, {}, 48, kDeadline_s).tensor().equal(truth));
  EXPECT_EQ(cache.counts().decoded_frames, 1);
}

TEST(FrameCache, FollowsAFileThatWasReplacedByAnotherProcess) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  cache.read(video, Indices{1}, {}, 48, kDeadline_s);
  std::filesystem::remove(cache_files(folder).at(0));
  FrameCache(options_of(folder)).read(video, Indices{2}, {}, 48, kDeadline_s);
  EXPECT_EQ(numbers(cache.read(video, Indices{1, 2, 3}, {}, 48, kDeadline_s)), (Indices{1, 2, 3}));
  EXPECT_EQ(numbers(cache.read(video, Indices{3, 1}, {}, 48, kDeadline_s)), (Indices{3, 1}));
}

TEST(FrameCache, TwoProcessesShareOneFolder) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4", 64));
  const auto all_right = [&](int64_t first) {
    FrameCache cache(options_of(folder));
    for (int64_t i = 0; i < 64; i += 2) {
      const Indices indices = {(first + i) % 64, (first + i + 1) % 64};
      if (numbers(cache.read(video, indices, {}, 32, kDeadline_s)) != indices) return false;
    }
    return true;
  };
  const pid_t child = fork();
  if (child == 0) _exit(all_right(32) ? 0 : 1);
  EXPECT_TRUE(all_right(0));
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(cache_files(folder).size(), 1u);
  FrameCache cache(options_of(folder));
  for (int64_t i = 0; i < 64; ++i) cache.read(video, Indices{i}, {}, 32, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 0);
}

TEST(FrameCache, ThreadsDecodeAFrameOnce) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        right +=
            numbers(cache.read(video, Indices{3, 6, 9}, {}, 48, kDeadline_s)) == Indices{3, 6, 9};
      });
    }
  }
  EXPECT_EQ(right, 4);
  EXPECT_EQ(cache.counts().decoded_frames, 3);
}

TEST(FrameCache, StaysUnderItsCapAndDropsTheLeastRecentlyUsed) {
  const TemporaryFolder folder;
  std::vector<VideoInfo> videos;
  for (int i = 0; i < 6; ++i) {
    SyntheticOptions options;
    options.first_s = i;  // another content
    write_numbered(folder / fmt::format("{}.mp4", i), options);
    videos.push_back(probe(folder / fmt::format("{}.mp4", i)));
  }
  Indices all(32);
  for (int64_t i = 0; i < 32; ++i) all[i] = i;
  FrameCache(options_of(folder)).read(videos[0], all, {}, 64, kDeadline_s);
  const int64_t one = disk_bytes(folder);
  const double cap_bytes = 3.5 * static_cast<double>(one);
  FrameCache cache(options_of(folder, cap_bytes / 1e9));
  const auto held = cache.read(videos[0], Indices{5, 6}, {}, 64, kDeadline_s);  // in use: stays
  for (int i = 1; i < 6; ++i) {
    cache.read(videos[i], all, {}, 64, kDeadline_s);
    EXPECT_LE(disk_bytes(folder), static_cast<int64_t>(cap_bytes));
  }
  EXPECT_EQ(cache.counts().misses, 5);
  cache.read(videos[0], Indices{1}, {}, 64, kDeadline_s);
  cache.read(videos[5], Indices{1}, {}, 64, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 5);  // still there
  cache.read(videos[1], Indices{1}, {}, 64, kDeadline_s);
  EXPECT_EQ(cache.counts().misses, 6);  // gone
  EXPECT_EQ(numbers(held), (Indices{5, 6}));
}

TEST(FrameCache, CountsProbesAndRemovesWhatDeadProcessesLeft) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  std::filesystem::create_directories(folder / "cache/probes");
  const auto now = std::filesystem::file_time_type::clock::now();
  const auto old = folder.write("cache/probes/old.probe", std::string(200000, 'x'));
  const auto dead = folder.write("cache/probes/" + unfinished_name("old.probe", 1), "x");
  const auto theirs = folder.write("cache/probes/film.1-0.partial", "x");
  const UnfinishedFile fresh(folder / "cache/probes/new.probe");
  const auto older = folder.write("cache/probes/0123456789abcdef.probe.4711-0.partial", "x");
  std::vector<std::string> alike;
  for (const char* name :
       {"0123456789abcdef.probe.4711-0.partial.mp4", "0123456789abcde.probe.4711-0.partial",
        "film.probe.4711-0.partial", "0123456789abcdef.probe.4711.partial"})
    alike.push_back(folder.write(std::string("cache/probes/") + name, "x"));
  std::filesystem::last_write_time(old, now - std::chrono::hours(1));
  std::filesystem::last_write_time(theirs, now - std::chrono::hours(48));
  FrameCache cache(options_of(folder, 2e-4));
  cache.read(video, Indices{1}, {}, 48, kDeadline_s);
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_FALSE(std::filesystem::exists(older)) << "of a distal that marked them so";
  for (const auto& file : alike) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_TRUE(std::filesystem::exists(fresh.name()));
  EXPECT_TRUE(std::filesystem::exists(theirs));
  EXPECT_EQ(cache_files(folder).size(), 1u);
}

TEST(FrameCache, LetsGoOfFilesThatOthersRemoved) {
  const TemporaryFolder folder;
  const auto first = probe(numbered(folder, "a.mp4"));
  const auto second = probe(numbered(folder, "b.mp4", 40));
  FrameCache cache(options_of(folder, 1e-5));
  cache.read(first, Indices{1}, {}, 48, kDeadline_s);
  const auto path = cache_files(folder).at(0);
  const auto mapped = [&] {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line)) {
      if (line.find(path) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(mapped());
  std::filesystem::remove(path);
  cache.read(second, Indices{1}, {}, 48, kDeadline_s);
  EXPECT_FALSE(mapped());
}

TEST(FrameCache, AFileThatAnotherFillsForTooLongIsPassedBy) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  cache.read(video, Indices{1}, {}, 48, kDeadline_s);
  const int fd = open(cache_files(folder).at(0).c_str(), O_RDONLY);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_EQ(numbers(cache.read(video, Indices{5, 1, 5}, Indices{6}, 48, 0.2)), (Indices{5, 1, 5}));
  EXPECT_EQ(numbers(cache.read(video, Indices{1}, {}, 48, 0.2)),
            Indices{1});  // a hit needs no lock
  EXPECT_EQ(cache.counts().misses, 2);
  close(fd);
  EXPECT_EQ(numbers(cache.read(video, Indices{5}, {}, 48, kDeadline_s)), Indices{5});
  EXPECT_EQ(numbers(cache.read(video, Indices{5}, {}, 48, kDeadline_s)), Indices{5});
  EXPECT_EQ(cache.counts().misses, 3);
}

TEST(FrameCache, WhatWasReadAheadIsThereForTheReader) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  FrameCache cache(options_of(folder));
  cache.read_ahead(video, Indices{7, 2, 5, 2}, 48, kDeadline_s);
  EXPECT_EQ(cache.counts().decoded_frames, 3);
  cache.read_ahead(video, Indices{2, 5, 9}, 48, kDeadline_s);
  EXPECT_EQ(cache.counts().decoded_frames, 4);
  EXPECT_EQ(numbers(cache.read(video, Indices{9, 7, 2}, {}, 48, kDeadline_s)), (Indices{9, 7, 2}));
  EXPECT_EQ(cache.counts().hits, 1);
  EXPECT_EQ(cache.counts().misses, 0);
  std::filesystem::remove(video.path);
  EXPECT_THAT(error_of([&] { cache.read_ahead(video, Indices{15}, 48, kDeadline_s); }),
              HasSubstr("no such file"));
}

TEST(FrameCache, FramesForLaterAreNotChargedToTheClipAndWhatCameOfThemStays) {
  const TemporaryFolder folder;
  SyntheticOptions options;
  options.frames = options.gop = 400;
  options.width = 320;
  options.height = 240;
  write_numbered(folder / "long.mp4", options);
  const auto video = probe(folder / "long.mp4");
  Indices all(400);
  for (int64_t i = 0; i < 400; ++i) all[i] = i;
  double whole_s = 0;
  for (int run = 0; run < 2; ++run) {
    const auto began = std::chrono::steady_clock::now();
    Decoder(video).at_frames(all, {48}, kDeadline_s);
    whole_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
  FrameCache cache(options_of(folder));
  EXPECT_EQ(numbers(cache.read(video, Indices{0}, all, 48, whole_s / 4)), Indices{0});
  EXPECT_GT(cache.counts().decoded_frames, 1);
  EXPECT_EQ(numbers(cache.read(video, Indices{9}, {}, 48, kDeadline_s)), Indices{9});
  EXPECT_EQ(cache.counts().hits, 1);
}

TEST(FrameCache, AFrameThatStandsForADamagedOneIsNotKeptUnderItsNumber) {
  const TemporaryFolder folder;
  VideoInfo video = probe(numbered(folder, "a.mp4"));
  video.pts.insert(video.pts.begin() + 20,
                   video.pts[19] + 1);  // the index promises a frame that never comes
  video.time_s.insert(video.time_s.begin() + 20, video.time_s[19] + 1e-4);
  video.key.insert(video.key.begin() + 20, 0);
  {
    FrameCache cache(options_of(folder));
    EXPECT_EQ(numbers(cache.read(video, Indices{20, 21}, {}, 48, kDeadline_s)), (Indices{19, 20}));
    EXPECT_EQ(cache.counts().decoded_frames, 2);
    EXPECT_EQ(numbers(cache.read(video, Indices{20, 19}, {}, 48, kDeadline_s)),
              (Indices{19, 19}));  // known by now
    EXPECT_EQ(cache.counts().hits, 1);
  }
  FrameCache next(options_of(folder));
  EXPECT_EQ(numbers(next.read(video, Indices{19}, {}, 48, kDeadline_s)), Indices{19});
  EXPECT_EQ(next.counts().hits, 1);
  EXPECT_EQ(numbers(next.read(video, Indices{20}, {}, 48, kDeadline_s)), Indices{19});
  EXPECT_EQ(next.counts().misses, 1);
}

TEST(FrameCache, AVideoThatShrankLeavesNothingWrongBehind) {
  const TemporaryFolder folder;
  const auto path = numbered(folder, "a.mp4", 64);
  const auto video = probe(path);
  const auto modified = std::filesystem::last_write_time(path);
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  FrameCache cache(options_of(folder));
  cache.read(video, Indices{1}, {}, 48, kDeadline_s);
  std::filesystem::resize_file(path, bytes.size() / 2);
  EXPECT_THAT(error_of([&] {
                cache.read(video, Indices{2, 60}, Indices{3, 61}, 48, kDeadline_s);
              }),
              HasSubstr("a.mp4: changed since it was probed"));
  folder.write("a.mp4", bytes);
  std::filesystem::last_write_time(path, modified);
  EXPECT_EQ(numbers(cache.read(video, Indices{60, 2, 1, 61, 3}, {}, 48, kDeadline_s)),
            (Indices{60, 2, 1, 61, 3}));
}

TEST(FrameCache, AFullDiskIsAnErrorThatNamesFolderAndCure) {
  const TemporaryFolder folder;
  const auto video = probe(numbered(folder, "a.mp4"));
  EXPECT_TRUE(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{40000, 40000};  // the fourth slot of 64 x 64 x 3 bytes ends beyond it
    setrlimit(RLIMIT_FSIZE, &limit);
    std::filesystem::create_directories(folder / "cache");
    FrameCache cache(options_of(folder));
    const std::string text = error_of<CacheError>([&] {
      cache.read(video, Indices{1, 30}, {}, 64, kDeadline_s);
    });
    return text.starts_with(folder / "cache" + ": no room for decoded frames") &&
           text.ends_with("or name another folder in cache.folder");
  }));
}

TEST(FrameCache, RefusesAFolderThatCannotBeWritten) {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "");
  EXPECT_THAT(error_of([&] {
                FrameCache(CacheOptions{file + "/cache", 1});
              }),
              HasSubstr("not a folder that can be written, name another in cache.folder"));
}

TEST(FrameCache, TheDefaultFolderFollowsTheUsersSettings) {
  EXPECT_TRUE(in_child([] {
    setenv("HOME", "/h", 1);
    unsetenv("XDG_CACHE_HOME");
    const bool home = CacheOptions{}.resolved_folder() == "/h/.cache/distal/frames";
    setenv("XDG_CACHE_HOME", "/c", 1);
    return home && CacheOptions{}.resolved_folder() == "/c/distal/frames" &&
           CacheOptions{"mine"}.resolved_folder() == "mine";
  }));
}

TEST(ClipReader, RemembersProbesWhileTheFileStands) {
  const TemporaryFolder folder;
  const auto path = numbered(folder, "a.mp4");
  InputOptions input;
  const auto first = ClipReader(input, options_of(folder)).probe(path);
  const auto stamp = std::filesystem::last_write_time(path);
  const auto size = std::filesystem::file_size(path);
  // The same size and time with other bytes: only the remembered probe can still answer.
  std::ofstream(path, std::ios::binary | std::ios::trunc) << std::string(size, 'x');
  std::filesystem::last_write_time(path, stamp);
  const auto again = ClipReader(input, options_of(folder)).probe(path);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.time_s, first.time_s);
  EXPECT_EQ(again.pts, first.pts);
  EXPECT_EQ(again.key, first.key);
  EXPECT_EQ(again.codec, first.codec);
  EXPECT_EQ(again.duration_s, first.duration_s);
  EXPECT_EQ(again.path, path);
  std::filesystem::last_write_time(path, stamp + std::chrono::seconds(1));
  EXPECT_NE(error_of([&] { ClipReader(input, options_of(folder)).probe(path); }), "");
}

TEST(ClipReader, AProbeThatIsUsedAgainIsYoungAgain) {
  const TemporaryFolder folder;
  const auto path = numbered(folder, "a.mp4");
  const auto first = ClipReader({}, options_of(folder)).probe(path);
  const auto record = std::filesystem::directory_iterator(folder / "cache/probes")->path();
  const auto hour_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::filesystem::last_write_time(record, hour_ago);
  const auto again = ClipReader({}, options_of(folder)).probe(path);
  EXPECT_GT(std::filesystem::last_write_time(record), hour_ago);
  EXPECT_EQ(again.stamp(), first.stamp());
  EXPECT_EQ(again.mirrored, first.mirrored);
  EXPECT_EQ(again.seekable, first.seekable);
}

TEST(ClipReader, ASpoiledProbeRecordIsProbedAgain) {
  const TemporaryFolder folder;
  const auto path = numbered(folder, "a.mp4");
  const auto first = ClipReader({}, options_of(folder)).probe(path);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache/probes"))
    std::ofstream(entry.path()) << "nonsense";
  EXPECT_EQ(ClipReader({}, options_of(folder)).probe(path).id, first.id);
}

TEST(ClipReader, ReadsAChangedVideoAnewAndRefusesTheOldClip) {
  const TemporaryFolder folder;
  const auto path = numbered(folder, "a.mp4");
  InputOptions input;
  input.size_px = 56;
  Clip clip{path};
  clip.video_id = ClipReader(input, options_of(folder)).probe(path).id;
  const auto before = ClipReader(input, options_of(folder)).read(clip, nullptr, false).clone();
  SyntheticOptions longer;
  longer.frames = 48;
  write_numbered(path, longer);
  const auto refusal =
      error_of([&] { ClipReader(input, options_of(folder)).read(clip, nullptr, false); });
  EXPECT_THAT(refusal, HasSubstr("the file is not the one that was listed"));
  clip.video_id = Interned();
  ClipReader reader(input, options_of(folder));
  EXPECT_EQ(numbers(reader.view(clip, nullptr, false)), (Indices{3, 9, 15, 21, 27, 33, 39, 45}));
  EXPECT_EQ(reader.counts().misses, 1);
}

TEST(ClipReader, TheFirstTouchOfATrainingClipDecodesAllThatTrainingWillAsk) {
  const TemporaryFolder folder;
  const Clip clip{numbered(folder, "a.mp4", 64)};
  InputOptions input;
  input.size_px = 56;
  input.sampling = {"even", 4, 2, 4};
  ClipReader reader(input, options_of(folder));
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    reader.view(clip, &random, true);
  }
  EXPECT_EQ(reader.counts().misses, 1);
  EXPECT_EQ(reader.counts().hits, 49);
  EXPECT_EQ(reader.counts().decoded_frames, 16);
}

}  // namespace
}  // namespace distal
