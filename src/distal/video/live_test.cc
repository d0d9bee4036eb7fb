#include "distal/video/live.h"

#include <sys/stat.h>

#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "distal/video/live_queue.h"
#include "distal/video/testing.h"

namespace distal {
namespace {

using ::testing::AnyOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

StreamItem frame_of(double time_s) { return {time_s, torch::zeros({1, 1, 3}, torch::kUInt8), ""}; }
StreamItem loss_of(double time_s) { return {time_s, {}, "lost"}; }

std::vector<double> rest_of(LiveQueue& queue) {  // losses as negative times
  queue.end(nullptr);
  std::vector<double> times;
  while (const auto item = queue.next())
    times.push_back(item->frame.defined() ? item->time_s : -item->time_s);
  return times;
}

TEST(LiveQueue, DropsItsOldestFrameAndCountsIt) {
  LiveQueue queue(3, /*drops=*/true);
  for (const double time_s : {1, 2, 3, 4, 5}) queue.push(frame_of(time_s));
  EXPECT_EQ(queue.dropped(), 2);
  EXPECT_THAT(rest_of(queue), ElementsAre(3, 4, 5));
}

TEST(LiveQueue, KeepsLossesInTheirPlaceAndTheirNumberBounded) {
  LiveQueue queue(2, /*drops=*/true);
  queue.push(frame_of(1));
  queue.push(loss_of(1.5));
  queue.push(loss_of(1.7));
  queue.push(frame_of(2));
  queue.push(loss_of(2.5));
  queue.push(frame_of(3));
  queue.push(frame_of(4));
  EXPECT_THAT(rest_of(queue), ElementsAre(-1.5, 3, 4)) << "the frames 1 and 2 went";
}

TEST(LiveQueue, WaitsWhereNothingMayBeDropped) {
  LiveQueue queue(2, /*drops=*/false);
  std::thread writer([&] {
    for (int i = 1; i <= 50; ++i) queue.push(frame_of(i));
    queue.end(nullptr);
  });
  int taken = 0;
  while (const auto item = queue.next()) EXPECT_EQ(item->time_s, ++taken);
  writer.join();
  EXPECT_EQ(taken, 50);
  EXPECT_EQ(queue.dropped(), 0);
}

TEST(LiveQueue, StoppedLetsTheWriterGo) {
  LiveQueue queue(1, /*drops=*/false);
  queue.push(frame_of(1));
  std::thread writer([&] { queue.push(frame_of(2)); });
  queue.stop();
  writer.join();
}

TEST(LiveQueue, ThrowsTheErrorAfterWhatCameBeforeIt) {
  LiveQueue queue(4, /*drops=*/true);
  queue.push(frame_of(1));
  queue.end(std::make_exception_ptr(Error("the end")));
  EXPECT_TRUE(queue.next().has_value());
  EXPECT_EQ(error_of([&] { queue.next(); }), "the end");
}

/// A named pipe that a thread writes bytes to, in pieces.
class Fifo {
 public:
  Fifo(const TemporaryFolder& folder, const std::string& bytes) : path_(folder / "fifo") {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    writer_ = std::thread([this, bytes] {
      std::ofstream out(path_, std::ios::binary);
      for (size_t at = 0; at < bytes.size(); at += 1000)
        out << bytes.substr(at, 1000) << std::flush;
    });
  }
  ~Fifo() { writer_.join(); }
  LiveSource source() const { return {LiveSource::Kind::pipe, path_, path_}; }

 private:
  std::string path_;
  std::thread writer_;
};

std::string numbered_bytes(const TemporaryFolder& folder, const std::string& name, int64_t frames) {
  SyntheticOptions options;
  options.width = 64;
  options.height = 48;
  options.frames = frames;
  write_numbered(folder / name, options);
  return bytes_of(folder / name);
}

int64_t number_in(const torch::Tensor& frame) {
  return read_number(frame.const_data_ptr<uint8_t>(), frame.size(0), frame.size(1));
}

TEST(LiveReader, GivesEveryFrameOfAPipeAtItsTimeHoweverSlowlyTheyAreTaken) {
  const TemporaryFolder folder;
  for (const char* name : {"a.ts", "a.mkv"}) {
    const TemporaryFolder place;
    const Fifo fifo(place, numbered_bytes(folder, name, 60));
    LiveOptions options;
    options.queue = 3;
    LiveReader reader(fifo.source(), options, [](double) { return true; });
    EXPECT_EQ(reader.info().width, 64);
    EXPECT_THAT(reader.info().rate, AnyOf(0, DoubleNear(25, 0.01)))
        << "our writer counts 400 ticks a second, and that is no rate";
    int64_t count = 0;
    while (const auto item = reader.next()) {
      ASSERT_TRUE(item->frame.defined()) << item->lost;
      EXPECT_EQ(number_in(item->frame), count) << name;
      EXPECT_NEAR(item->time_s, 0.04 * static_cast<double>(count), 0.0011) << name;
      if (count % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(30));
      ++count;
    }
    EXPECT_EQ(count, 60) << name;
    EXPECT_EQ(reader.dropped(), 0);
  }
}

TEST(LiveReader, ScalesTheFramesThatAreWanted) {
  const TemporaryFolder folder;
  const Fifo fifo(folder, numbered_bytes(folder, "a.ts", 30));
  LiveOptions options;
  options.short_side_px = 24;
  int64_t asked = 0;
  LiveReader reader(fifo.source(), options, [&](double) { return asked++ % 3 == 0; });
  int64_t count = 0;
  for (; const auto item = reader.next(); ++count) {
    EXPECT_THAT(item->frame.sizes(), ElementsAre(24, 32, 3));
    EXPECT_EQ(number_in(item->frame), 3 * count);
  }
  EXPECT_EQ(count, 10);
}

// Two recordings put together: the second does not join on to the first.
TEST(LiveReader, SaysWhereOneRecordingOfAPipeEndsAndAnotherBegins) {
  const TemporaryFolder folder;
  SyntheticOptions late;
  late.frames = 20;
  late.first_s = 500;
  write_numbered(folder / "late.ts", late);
  const Fifo fifo(folder, numbered_bytes(folder, "a.ts", 20) + bytes_of(folder / "late.ts"));
  LiveReader reader(fifo.source(), {}, [](double) { return true; });
  int64_t frames = 0;
  std::vector<int64_t> lost_after;
  double before_s = -1;
  while (const auto item = reader.next()) {
    if (!item->frame.defined() && (lost_after.empty() || lost_after.back() != frames))
      lost_after.push_back(frames);
    if (!item->frame.defined()) continue;
    EXPECT_GT(item->time_s, before_s);
    before_s = item->time_s;
    ++frames;
  }
  EXPECT_EQ(frames, 40);
  EXPECT_THAT(lost_after, ElementsAre(20));
  EXPECT_LT(before_s, 3) << "no hole of 500 s";
}

TEST(LiveReader, RefusesWhatIsNoVideoAndAnIndexAtTheEnd) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    const TemporaryFolder place;
    const Fifo fifo(place, bytes);
    return error_of([&] { LiveReader(fifo.source(), {}, [](double) { return true; }); });
  };
  EXPECT_THAT(refusal(std::string(5000, 'x')), HasSubstr("not a video"));
  EXPECT_THAT(refusal("ffconcat version 1.0\nfile '/etc/passwd'\n"), HasSubstr("not a video"));
  EXPECT_THAT(refusal("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), HasSubstr("not a video"));
}

TEST(LiveReader, EndsWhileItWaitsForAPipeThatIsSilent) {
  const TemporaryFolder folder;
  const std::string bytes = numbered_bytes(folder, "a.ts", 40);
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    std::ofstream out(path, std::ios::binary);
    out << bytes << std::flush;
    while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  {
    LiveReader reader({LiveSource::Kind::pipe, path, path}, {}, [](double) { return true; });
    EXPECT_TRUE(reader.next().has_value());
  }
  done = true;
  writer.join();
}

TEST(LiveReader, SaysThatNobodyListensAtAnAddress) {
  EXPECT_THAT(error_of([] {
                LiveReader({LiveSource::Kind::rtsp, "rtsp://u:secret@127.0.0.1:1/x", "the camera"},
                           {}, [](double) { return true; });
              }),
              ::testing::AllOf(HasSubstr("the camera: cannot be opened (Connection refused)"),
                               ::testing::Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace distal
