#include "distal/base/interrupted.h"

#include <csignal>

#include <gmock/gmock.h>

#include "distal/base/error.h"

namespace distal {
namespace {

void stop_twice(int first, int second) {
  catch_signals();
  std::raise(first);
  std::raise(second);
  std::_Exit(0);
}

[[noreturn]] void stop_once(int signal) {
  catch_signals();
  if (interrupted()) std::_Exit(90);
  check_interrupted();
  std::raise(signal);
  try {
    check_interrupted();
  } catch (const Interrupted& stop) {
    std::_Exit(stop.signal);
  }
  std::_Exit(91);
}

TEST(InterruptedDeathTest, TheFirstSignalIsKeptAndTheSecondEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(stop_once(signal), ::testing::ExitedWithCode(signal), "");
    EXPECT_EXIT(stop_twice(signal, signal), ::testing::KilledBySignal(signal), "");
  }
  EXPECT_EXIT(stop_twice(SIGINT, SIGTERM), ::testing::KilledBySignal(SIGTERM), "");
}

void stop_at_once(int signal) {
  catch_signals();
  { const EndAtOnce over; }
  const EndAtOnce now;
  std::raise(signal);
  std::_Exit(0);
}

TEST(InterruptedDeathTest, WhereNothingIsLostTheFirstEndsIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(stop_at_once(SIGINT), ::testing::ExitedWithCode(130),
              "distal: stopped by signal 2; the same command continues");
  EXPECT_EXIT(stop_at_once(SIGTERM), ::testing::ExitedWithCode(143),
              "distal: stopped by signal 15; the same command continues");
}

TEST(InterruptedDeathTest, AReadThatBlocksReturns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto restarts = [] {
    catch_signals();
    struct sigaction now {};
    ::sigaction(SIGINT, nullptr, &now);
    std::_Exit(now.sa_flags & SA_RESTART ? 1 : 0);
  };
  EXPECT_EXIT(restarts(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace distal
