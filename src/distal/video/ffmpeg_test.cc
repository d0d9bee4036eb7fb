#include "distal/video/ffmpeg.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <filesystem>
#include <thread>

#include "distal/video/synthetic.h"
#include "distal/video/testing.h"

namespace distal::ffmpeg {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

void spin_until(std::chrono::steady_clock::time_point end) {
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// This thread and those it starts share one processor while this lives.
class OneProcessor {
 public:
  OneProcessor() {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_;
};

TEST(Deadline, CountsTimeInWhichTheDiskDoesNotAnswer) {
  if (!std::filesystem::exists("/proc/thread-self/schedstat"))
    GTEST_SKIP() << "this kernel does not count waiting threads";
  EXPECT_FALSE(Deadline(3600).passed());
  const Deadline deadline(0.05);
  std::this_thread::sleep_for(150ms);
  EXPECT_TRUE(deadline.passed());
  EXPECT_THAT(error_of([&] { deadline.require_time("v.mp4", "reading"); }),
              HasSubstr("v.mp4: reading took longer than 0.05 s"));
}

TEST(Deadline, DoesNotCountTimeInTheQueueForAProcessor) {
  const OneProcessor here;
  const auto end = std::chrono::steady_clock::now() + 600ms;
  std::vector<std::jthread> others;
  for (int i = 0; i < 7; ++i) others.emplace_back([end] { spin_until(end); });
  const Deadline deadline(0.3);
  spin_until(end);  // 0.6 s on the clock, about 0.1 s of work
  EXPECT_FALSE(deadline.passed());
}

TEST(Deadline, NeverPassesByDefault) { EXPECT_FALSE(Deadline().passed()); }

TEST(ReadPacket, TellsAFailingDiskFromAnEnd) {
  const TemporaryFolder folder;
  write_numbered(folder / "v.mkv", {});
  const Deadline never;
  const Input input = open_input(folder / "v.mkv", never);
  const Packet packet = make_packet();
  int code = 0;
  while ((code = read_packet(*input.format, *packet)) >= 0) av_packet_unref(packet.get());
  EXPECT_EQ(code, AVERROR_EOF);
  EXPECT_NO_THROW(require_disk("v.mkv", *input.format));
  input.format->pb->error = AVERROR(EIO);
  EXPECT_EQ(read_packet(*input.format, *packet), AVERROR(EIO));
  EXPECT_THAT(error_of([&] { require_disk("v.mkv", *input.format); }),
              HasSubstr("v.mkv: cannot be read: "));
}

}  // namespace
}  // namespace distal::ffmpeg
