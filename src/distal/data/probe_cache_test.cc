#include "distal/data/probe_cache.h"

#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/data/testing.h"

namespace distal {
namespace {

TEST(ProbeCache, ARecordOfAnotherVersionCountsAsAbsent) {
  const TemporaryFolder folder;
  const ProbeCache cache(folder.path());
  const VideoInfo info = steady_video(3, 25);
  cache.store("a.mp4", {10, 20}, info);
  ASSERT_TRUE(cache.find("a.mp4", {10, 20}));
  EXPECT_EQ(cache.find("a.mp4", {10, 20})->time_s, info.time_s);
  EXPECT_FALSE(cache.find("a.mp4", {10, 21})) << "the file changed";
  const std::string path = std::filesystem::directory_iterator(folder.path())->path().string();
  std::string bytes = read_file(path);
  const size_t version = bytes.find("version") + 7;  // CBOR: a small number is one byte
  ASSERT_EQ(bytes.at(version), 4);
  bytes[version] = 3;
  write_atomically(path, bytes);
  EXPECT_FALSE(cache.find("a.mp4", {10, 20})) << "what probe says has changed since";
}

}  // namespace
}  // namespace distal
