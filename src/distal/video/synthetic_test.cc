#include "distal/video/synthetic.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "distal/base/leftovers.h"
#include "distal/video/decoder.h"
#include "distal/video/testing.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

/// uint8 [T, H, W, 3]
torch::Tensor motion(const TemporaryFolder& folder, const std::string& name, uint64_t seed,
                     SyntheticOptions options = {}) {
  const std::string path = folder / fmt::format("{}_{}.mp4", name, seed);
  options.crf = 0;
  write_motion(path, name, seed, options);
  const VideoInfo info = probe(path);
  std::vector<double> times_s = info.time_s;
  return Decoder(info).at_times(times_s, {}).frames;
}

/// Mean absolute difference between a frame and the next one moved back by (`dy`, `dx`) on the
/// torus.
double mismatch(const torch::Tensor& video, int64_t dy, int64_t dx) {
  const torch::Tensor now = video.slice(0, 0, 12).to(torch::kFloat);
  const torch::Tensor later = video.slice(0, 4, 16).to(torch::kFloat);
  return (now - later.roll({-dy, -dx}, {1, 2})).abs().mean().item<double>();
}

TEST(Synthetic, MovesAsItsClassSays) {
  at::set_num_threads(1);  // small tensors: threads would only wait for each other
  const TemporaryFolder folder;
  const std::map<std::string, std::pair<int64_t, int64_t>> directions = {
      {"left", {0, -1}}, {"right", {0, 1}}, {"up", {-1, 0}}, {"down", {1, 0}}};
  for (const auto& [name, towards] : directions) {
    for (const uint64_t seed : {1, 2}) {
      const torch::Tensor video = motion(folder, name, seed);
      std::map<double, std::string>
          found;  // the background stays, so look at the larger changes of the blob only
      for (const auto& [other, step] : directions) {
        double best = 1e9;
        for (int64_t px = 4; px <= 10; px += 2)
          best = std::min(best, mismatch(video, step.first * px, step.second * px));
        found[best] = other;
      }
      EXPECT_EQ(found.begin()->second, name) << seed;
    }
  }
}

TEST(Synthetic, TurnsTheOtherWayRound) {
  const TemporaryFolder folder;
  const torch::Tensor clockwise = motion(folder, "clockwise", 5);
  const torch::Tensor counter = motion(folder, "counterclockwise", 5);
  EXPECT_TRUE(torch::equal(clockwise[0], counter[0]));
  EXPECT_FALSE(torch::equal(clockwise[3], counter[3]));
  EXPECT_FALSE(torch::equal(clockwise[0], clockwise[3]));
}

TEST(Synthetic, AStillSaysNothingOfTheClass) {
  const TemporaryFolder folder;
  // The first frame of a seed is the same picture whatever the class; later places are uniform
  // again (a torus).
  const torch::Tensor left = motion(folder, "left", 9, {.frames = 2});
  const torch::Tensor up = motion(folder, "up", 9, {.frames = 2});
  EXPECT_TRUE(torch::equal(left[0], up[0]));
  EXPECT_FALSE(torch::equal(left[1], up[1]));
}

TEST(Synthetic, SeedsVary) {
  const TemporaryFolder folder;
  EXPECT_FALSE(torch::equal(motion(folder, "left", 1, {.frames = 1}),
                            motion(folder, "left", 2, {.frames = 1})));
}

TEST(Synthetic, TheSameOptionsGiveTheSameBytes) {
  const TemporaryFolder folder;
  for (const char* extension : {"mp4", "mkv", "ts"}) {
    write_motion(folder / (std::string("a.") + extension), "up", 3, {.b_frames = 2, .audio = true});
    write_motion(folder / (std::string("b.") + extension), "up", 3, {.b_frames = 2, .audio = true});
    EXPECT_EQ(bytes_of(folder / (std::string("a.") + extension)),
              bytes_of(folder / (std::string("b.") + extension)))
        << extension;
  }
}

TEST(Synthetic, RefusesWhatItCannotWrite) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { write_motion(folder / "v.mp4", "sideways", 1, {}); }),
              HasSubstr("use one of left, right"));
  EXPECT_THAT(error_of([&] { write_numbered(folder / "v.nothing", {}); }),
              HasSubstr("unknown extension"));
  EXPECT_THAT(error_of([&] { write_numbered(folder / "v.mp4", {.codec = "none"}); }),
              HasSubstr("no encoder none"));
  EXPECT_THAT(error_of([&] { write_numbered(folder / "absent/v.mp4", {}); }),
              HasSubstr("No such file"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// A process of another machine or container that clears up knows nobody by id.
TEST(Synthetic, AVideoIsLockedWhileItIsWritten) {
  const TemporaryFolder folder;
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(folder.path()), {});
  };
  VideoWriter writer(folder / "v.mp4", {.frames = 2, .width = 32, .height = 32});
  ASSERT_EQ(files(), 1);
  const int file = ::open(std::filesystem::directory_iterator(folder.path())->path().c_str(),
                          O_RDONLY | O_CLOEXEC);
  EXPECT_NE(::flock(file, LOCK_EX | LOCK_NB), 0);
  ::close(file);
  clear_leftovers(folder.path());
  for (int i = 0; i < 2; ++i) writer.add(std::vector<uint8_t>(3 * 32 * 32));
  writer.finish();
  EXPECT_EQ(probe(folder / "v.mp4").frames(), 2);
  { const VideoWriter given_up(folder / "w.mp4", {.frames = 2, .width = 32, .height = 32}); }
  EXPECT_EQ(files(), 1);
}

TEST(Synthetic, ReadsNumbersOnlyUpright) {
  const TemporaryFolder folder;
  write_numbered(folder / "v.mp4", {.frames = 40});
  const torch::Tensor frame =
      Decoder(probe(folder / "v.mp4")).at_frames(std::vector<int64_t>{37}, {}).frames[0];
  const auto read = [](const torch::Tensor& f) {
    const torch::Tensor whole = f.contiguous();
    return read_number(whole.data_ptr<uint8_t>(), whole.size(0), whole.size(1));
  };
  EXPECT_EQ(read(frame), 37);
  for (int quarters = 1; quarters < 4; ++quarters)
    EXPECT_EQ(read(frame.rot90(quarters, {0, 1})), -1);
  EXPECT_EQ(read(frame.flip({1})), -1);
  EXPECT_EQ(read(frame.flip({0})), -1);
  EXPECT_EQ(read(torch::zeros_like(frame)), -1);
  EXPECT_EQ(read(frame.slice(0, 0, 4)), -1);
}

std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
  std::ifstream file(csv);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

TEST(SyntheticSet, WritesBalancedListsOfVideosThatExist) {
  const TemporaryFolder folder;
  const SyntheticSet set{.train = 8, .pool = 12, .test = 4, .video = {.frames = 4}};
  write_motion_set(folder / "set", set);
  std::set<std::string> groups, paths;
  for (const auto& [list, count] :
       std::map<std::string, int64_t>{{"train", 8}, {"pool", 12}, {"test", 4}}) {
    auto rows = rows_of(folder / ("set/" + list + ".csv"));
    ASSERT_EQ(static_cast<int64_t>(rows.size()), count + 1);
    EXPECT_THAT(rows[0], ::testing::ElementsAre("path", "label", "group"));
    std::map<std::string, int64_t> per_class;
    for (size_t i = 1; i < rows.size(); ++i) {
      EXPECT_EQ(probe(folder / ("set/" + rows[i][0])).frames(), 4);
      ++per_class[rows[i][1]];
      paths.insert(rows[i][0]);
      groups.insert(rows[i][2]);
    }
    for (const auto& name : set.classes) EXPECT_EQ(per_class[name], count / 4) << list << name;
  }
  EXPECT_EQ(paths.size(), 24U);
  EXPECT_EQ(groups.size(), 24U);
}

TEST(SyntheticSet, WritesOnlyWhatIsAbsent) {
  const TemporaryFolder folder;
  SyntheticSet set{.train = 4, .pool = 0, .test = 0, .video = {.frames = 4}};
  write_motion_set(folder.path(), set);
  const std::string kept = folder / rows_of(folder / "train.csv")[1][0];
  const std::string removed = folder / rows_of(folder / "train.csv")[2][0];
  const auto written = std::filesystem::last_write_time(kept);
  const std::string bytes = bytes_of(removed);
  std::filesystem::remove(removed);
  write_motion_set(folder.path(), set);
  EXPECT_EQ(std::filesystem::last_write_time(kept), written);
  EXPECT_EQ(bytes_of(removed), bytes);

  set.video.frames = 5;  // other options, other files
  std::filesystem::remove(folder / "train.csv");
  std::filesystem::remove(folder / "pool.csv");
  std::filesystem::remove(folder / "test.csv");
  write_motion_set(folder.path(), set);
  EXPECT_EQ(probe(folder / rows_of(folder / "train.csv")[1][0]).frames(), 5);
}

TEST(SyntheticSet, NeverReplacesAListOfOtherContent) {
  const TemporaryFolder folder;
  const SyntheticSet set{.train = 4, .pool = 4, .test = 4, .video = {.frames = 4}};
  const std::string mine = "path,label,group\nsurgery.mp4,suture,p1\n";
  write_bytes(folder / "pool.csv", mine);
  const std::string error = error_of([&] { write_motion_set(folder.path(), set); });
  EXPECT_THAT(error, HasSubstr("pool.csv: holds another list"));
  EXPECT_THAT(error, HasSubstr("--data"));
  EXPECT_EQ(error_of([&] { require_own_lists(folder.path(), set); }), error);
  EXPECT_EQ(bytes_of(folder / "pool.csv"), mine);
  EXPECT_FALSE(std::filesystem::exists(folder / "videos"));
  EXPECT_FALSE(std::filesystem::exists(folder / "train.csv"));

  std::filesystem::remove(folder / "pool.csv");
  write_motion_set(folder.path(), set);
  EXPECT_EQ(error_of([&] { require_own_lists(folder.path(), set); }), "");
  SyntheticSet other = set;
  other.seed = 2;
  EXPECT_THAT(error_of([&] { write_motion_set(folder.path(), other); }),
              HasSubstr("train.csv: holds another list"));
  EXPECT_EQ(rows_of(folder / "train.csv")[1][0], motion_list(set, "train")[0].path);
}

}  // namespace
}  // namespace distal
