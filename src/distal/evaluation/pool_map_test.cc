#include "distal/evaluation/pool_map.h"

#include <atomic>
#include <limits>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

PoolMap small_map(int64_t round) {
  PoolMap map;
  map.arm = "by margin";
  map.seed = 3;
  map.round = round;
  map.total = 9;
  map.rows = {{"h@0-1", "a \"b\".mp4", 0, 1},
              {"h@1--1", "b.mp4", 1, std::numeric_limits<double>::infinity()}};
  map.embeddings = torch::tensor({{1.0F, -2.5F, 0.F}, {0.25F, 7.F, 1.F}});
  return map;
}

TEST(PoolMap, ComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  EXPECT_EQ(newest_pool_map(folder / ""), "");
  write_pool_map(folder / "", small_map(1));
  write_pool_map(folder / "", small_map(2));
  const PoolMap map = read_pool_map(newest_pool_map(folder / ""));
  EXPECT_EQ(map.arm, "by margin");
  EXPECT_EQ(map.seed, 3);
  EXPECT_EQ(map.round, 2);
  EXPECT_EQ(map.total, 9);
  ASSERT_EQ(map.rows.size(), 2u);
  EXPECT_EQ(map.rows[0].video, "a \"b\".mp4");
  EXPECT_EQ(map.rows[0].end_s, 1);
  EXPECT_EQ(map.rows[1].end_s, std::numeric_limits<double>::infinity());
  EXPECT_TRUE(torch::equal(map.embeddings, small_map(2).embeddings));
  std::error_code absent;
  int64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "", absent))
    files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 2) << "the array of the round before is gone";
}

TEST(PoolMap, IsReadWhileTheNextOneIsWritten) {
  const TemporaryFolder folder;
  write_pool_map(folder / "", small_map(0));
  const std::string path = newest_pool_map(folder / "");
  std::atomic<bool> written = false;
  std::thread writer([&] {
    for (int64_t round = 1; round <= 100; ++round) write_pool_map(folder / "", small_map(round));
    written = true;
  });
  std::string failure;
  while (!written && failure.empty()) {
    try {
      read_pool_map(path);
    } catch (const Error& error) {
      failure = error.what();
    }
  }
  writer.join();
  EXPECT_EQ(failure, "");
}

TEST(PoolMap, WhatIsNoneIsRefused) {
  const TemporaryFolder folder;
  write_pool_map(folder / "", small_map(1));
  const std::string path = newest_pool_map(folder / "");
  std::string text = read_file(path);
  write_atomically(path, "{\"arm\": 3}");
  EXPECT_THAT(error_of([&] { read_pool_map(path); }), HasSubstr("no map of a pool"));
  text.replace(text.find("[{"), 2,
               "[{\"clip\":\"h@5-6\",\"video\":\"c\",\"start_s\":0,\"end_s\":1},{");
  write_atomically(path, text);
  EXPECT_THAT(error_of([&] { read_pool_map(path); }), HasSubstr("a row for each clip"));
}

}  // namespace
}  // namespace distal
