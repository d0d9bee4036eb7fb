#include "distal/base/machine.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

class ControlGroups : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text << "\n";
  }
  GroupMemory memory(const std::string& groups) const {
    put("groups", groups);
    return group_memory(folder_ / "groups", folder_ / "fs");
  }
  TemporaryFolder folder_;
};

TEST_F(ControlGroups, OfTheSecondVersionHoldWithinEachOther) {
  put("fs/user.slice/job/memory.max", "max");
  put("fs/user.slice/job/memory.current", "500");
  put("fs/user.slice/memory.max", "1000");
  put("fs/user.slice/memory.current", "700");
  put("fs/user.slice/memory.stat", "anon 300\nfile 400\ninactive_file 250\nactive_file 100");
  const GroupMemory nested = memory("0::/user.slice/job");
  EXPECT_EQ(nested.bytes, 1000);
  EXPECT_EQ(nested.free_bytes, 1000 - 700 + 350);
  put("fs/user.slice/job/memory.max", "600");
  const GroupMemory tighter = memory("0::/user.slice/job");
  EXPECT_EQ(tighter.bytes, 600);
  EXPECT_EQ(tighter.free_bytes, 100);
}

TEST_F(ControlGroups, OfTheFirstVersionHoldToo) {
  put("fs/memory/docker/abc/memory.limit_in_bytes", "2000");
  put("fs/memory/docker/abc/memory.usage_in_bytes", "1900");
  put("fs/memory/docker/abc/memory.stat",
      "inactive_file 1\ntotal_inactive_file 40\ntotal_active_file 10");
  put("fs/memory/memory.limit_in_bytes", "9223372036854771712");
  put("fs/memory/memory.usage_in_bytes", "5000");
  const GroupMemory first = memory("5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/");
  EXPECT_EQ(first.bytes, 2000);
  EXPECT_EQ(first.free_bytes, 150);
}

TEST_F(ControlGroups, APathThatIsTheHostsMeansTheRoot) {
  put("fs/memory.max", "800");
  put("fs/memory.current", "900");
  const GroupMemory container = memory("0::/system.slice/docker-abc.scope");
  EXPECT_EQ(container.bytes, 800);
  EXPECT_EQ(container.free_bytes, 0);
}

TEST_F(ControlGroups, WithoutALimitAreNone) {
  put("fs/memory.max", "max");
  for (const char* groups : {"0::/", "", "nonsense", "1:cpu:/a"}) {
    EXPECT_EQ(memory(groups).bytes, -1) << groups;
    EXPECT_EQ(memory(groups).free_bytes, -1) << groups;
  }
}

TEST(Machine, HasMemory) {
  EXPECT_GT(memory_bytes(), 0);
  EXPECT_LE(free_memory_bytes(), memory_bytes());
}

}  // namespace
}  // namespace distal
