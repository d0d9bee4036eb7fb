#include "distal/base/progress.h"

#include <csignal>

#include <gmock/gmock.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/parallel.h"

namespace distal {
namespace {

// What a server would send on: each call as a line.
class RecordingProgress final : public Progress {
 public:
  void begin(const std::string& what, int64_t total, const std::string& unit) override {
    add(fmt::format("begin {} {} {}", what, total, unit));
  }
  void end() override { add("end"); }
  void say(const std::string& line) override { add("say " + line); }

  std::vector<std::string> events;

 private:
  void stepped(int64_t done, const std::string& note) override {
    add(fmt::format("step {} {}", done, note));
  }
  void add(const std::string& event) {
    const std::lock_guard lock(mutex_);
    events.push_back(event);
  }
  std::mutex mutex_;
};

// As the library works: it knows the interface alone.
void read_videos(int64_t count, Progress& progress) {
  progress.begin("probing", count, "videos");
  for (int64_t i = 1; i <= count; ++i) {
    if (i == 2) progress.say("b.mp4: no video stream");
    progress.step(i, i == count ? "last" : "");
  }
  progress.end();
}

std::string stderr_of(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, ASinkOfOnesOwnHearsEverythingInOrder) {
  RecordingProgress sink;
  EXPECT_EQ(stderr_of([&] { read_videos(3, sink); }), "");
  EXPECT_THAT(sink.events,
              testing::ElementsAre("begin probing 3 videos", "step 1 ",
                                   "say b.mp4: no video stream", "step 2 ", "step 3 last", "end"));
}

TEST(Progress, ASinkHearsEveryStepOfSeveralThreads) {
  constexpr int64_t kSteps = 100;
  RecordingProgress sink;
  for_each(kSteps, 4, [&](int64_t i) { sink.step(i); });
  ASSERT_EQ(sink.events.size(), size_t{kSteps});
  EXPECT_THAT(sink.events, testing::Contains("step 0 "));
  EXPECT_THAT(sink.events, testing::Contains("step 99 "));
}

// A sink cannot forget it: 10 is the exit code where the step throws and the sink heard of the one
// before alone.
[[noreturn]] void step_after_a_signal() {
  catch_signals();
  RecordingProgress sink;
  sink.step(1);
  std::raise(SIGTERM);
  try {
    sink.step(2);
  } catch (const Interrupted& stop) {
    std::_Exit(stop.signal == SIGTERM && sink.events.size() == 1 ? 10 : 1);
  }
  std::_Exit(2);
}

TEST(ProgressDeathTest, AStepAfterASignalThrowsWhateverTheSink) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(step_after_a_signal(), ::testing::ExitedWithCode(10), "");
}

TEST(ConsoleProgress, ElsewhereThanOnATerminalItSaysLinesAndNoBar) {
  const auto work = [] {
    ConsoleProgress console;
    read_videos(3, console);
  };
  EXPECT_EQ(stderr_of(work), "b.mp4: no video stream\n");  // 10 s have not passed
}

TEST(ConsoleProgress, QuietItSaysNothing) {
  const auto work = [] {
    ConsoleProgress console(ConsoleProgress::Mode::quiet);
    read_videos(3, console);
  };
  EXPECT_EQ(stderr_of(work), "");
}

}  // namespace
}  // namespace distal
