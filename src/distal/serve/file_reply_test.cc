#include "distal/serve/file_reply.h"

#include <gtest/gtest.h>

#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

// "first count", "none" or "refused".
std::string part(const std::string& header, int64_t size = 1000) {
  try {
    const auto range = range_of(header, size);
    return range ? fmt::format("{} {}", range->first, range->count) : "none";
  } catch (const Refusal& refusal) {
    return fmt::format("{}", refusal.status);
  }
}

TEST(RangeOf, IsAsHttpHasIt) {
  EXPECT_EQ(part("bytes=0-0"), "0 1");
  EXPECT_EQ(part("bytes=10-19"), "10 10");
  EXPECT_EQ(part("bytes=990-"), "990 10");
  EXPECT_EQ(part("bytes=990-5000"), "990 10");
  EXPECT_EQ(part("bytes=-10"), "990 10");
  EXPECT_EQ(part("bytes=-5000"), "0 1000");
  EXPECT_EQ(part("bytes=0-1,5-6"), "0 2") << "of several the first";
}

TEST(RangeOf, RefusesWhatLiesOutside) {
  EXPECT_EQ(part("bytes=1000-"), "416");
  EXPECT_EQ(part("bytes=20-10"), "416");
  EXPECT_EQ(part("bytes=-0"), "416");
  EXPECT_EQ(part("bytes=0-", 0), "416");
}

TEST(RangeOf, PassesOverWhatIsNone) {
  for (const char* header : {"", "items=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1",
                             "bytes=--1", "bytes=99999999999999999999-"})
    EXPECT_EQ(part(header), "none") << header;
}

TEST(RangeOf, GivesAtMostTwoMebibytes) {
  EXPECT_EQ(part("bytes=0-", 100 << 20), "0 2097152");
  EXPECT_EQ(part("bytes=5-", 100 << 20), "5 2097152");
  EXPECT_EQ(part("bytes=-99999999", 100 << 20), "4857601 2097152");
}

}  // namespace
}  // namespace distal::serve
