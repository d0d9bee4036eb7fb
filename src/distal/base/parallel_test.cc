#include "distal/base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace distal {
namespace {

TEST(ForEach, EveryIndexOnceOnAnyNumberOfThreads) {
  for (const int64_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> calls(100);
    for_each(100, threads, [&](int64_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1) << threads << " threads";
  }
  for_each(0, 2, [](int64_t) { FAIL() << "there is nothing to call for"; });
}

TEST(ForEach, TheFirstErrorEndsItAndComesOut) {
  std::atomic<int64_t> calls = 0;
  EXPECT_THROW(for_each(1000000, 2,
                        [&](int64_t) {
                          if (++calls == 10) throw std::runtime_error("ten");
                        }),
               std::runtime_error);
  EXPECT_LT(calls, 1000000);
}

}  // namespace
}  // namespace distal
