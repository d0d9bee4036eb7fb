#include "distal/base/utc.h"

#include <gmock/gmock.h>

namespace distal {
namespace {

TEST(UtcTest, TextReadsBack) {
  for (const int64_t ms : {int64_t{0}, int64_t{951'782'400'000}, int64_t{1'767'323'045'678},
                           int64_t{253'402'300'799'999}})
    EXPECT_EQ(utc_ms(utc_text(ms)), ms);
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(1'767'323'045'678), "2026-01-02T03:04:05.678Z");
}

TEST(UtcTest, ReadsTheFormsOfOtherTools) {
  const int64_t ms = 1'767'323'045'000;
  EXPECT_EQ(utc_ms("2026-01-02T03:04:05Z"), ms);
  EXPECT_EQ(utc_ms("2026-01-02T03:04:05"), ms);
  EXPECT_EQ(utc_ms("2026-01-02 03:04:05+00:00"), ms);
  EXPECT_EQ(utc_ms("2026-01-02T12:04:05+0900"), ms);
  EXPECT_EQ(utc_ms("2026-01-01T21:34:05-05:30"), ms);
  EXPECT_EQ(utc_ms("2026-01-02T03:04:05.678901Z"), ms + 678);
  EXPECT_EQ(utc_ms("2026-01-02T03:04:05.5Z"), ms + 500);
  EXPECT_EQ(utc_ms("2026-01-02T03:04Z"), ms - 5000);
  EXPECT_EQ(utc_ms("2024-02-29T00:00Z"), 1'709'164'800'000);
}

TEST(UtcTest, RefusesWhatIsNoTime) {
  for (const char* text : {"", "yesterday", "2026-01-02", "2026-13-01T00:00Z", "2026-02-29T00:00Z",
                           "2026-01-02T24:00Z", "2026-01-02T03:60Z", "2026-01-02T03:04:61Z",
                           "2026-01-02T03:04Zx", "1969-12-31T23:59Z", "2026-01-02T03:04+25:00",
                           "02/01/2026 03:04", "2026-1-2T3:4Z", "1767323045678"})
    EXPECT_FALSE(utc_ms(text)) << text;
}

}  // namespace
}  // namespace distal
