#include "distal/report/html.h"

#include <limits>

#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::HasSubstr;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Html, EscapesWhatCouldEndATextOrAnAttribute) {
  EXPECT_EQ(escaped("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escaped("größe 動画"), "größe 動画");
}

TEST(Html, ReplacesBytesThatAreNoText) {
  EXPECT_EQ(escaped("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(escaped("a\xC3"), "a\uFFFD");                              // cut in the middle
  EXPECT_EQ(escaped("\xC0\xAF"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  EXPECT_EQ(escaped("\xF4\x8F\xBF\xBF"), "\U0010FFFF");
  EXPECT_EQ(escaped(std::string_view("a\0\x1B[1m", 6)), "a\uFFFD\uFFFD[1m");
}

TEST(Html, ShortensByCharactersNotBytes) {
  EXPECT_EQ(shortened("größe", 5), "größe");
  EXPECT_EQ(shortened("größer", 5), "größ…");
  EXPECT_EQ(shortened("a\xFF\xC3z", 4), "a\xFF\xC3z");  // a byte that is no text counts as one
  EXPECT_EQ(shortened("a\xFF\xC3z", 3), "a\xFF…");
}

TEST(Html, WritesNumbersAsReadersWantThem) {
  EXPECT_EQ(percent(0.6123), "61.2\u00A0%");
  EXPECT_EQ(points(-0.0312), "−3.1");
  EXPECT_EQ(points(0.05), "+5.0");
  EXPECT_EQ(points(-0.0001), "0.0");
  EXPECT_EQ(number(1234567), "1,234,567");
  EXPECT_EQ(number(1234.5), "1,234.5");
  EXPECT_EQ(number(-100), "−100");
  EXPECT_EQ(number(-0.001), "0");
  EXPECT_EQ(p_value(0.0312), "0.031");
  EXPECT_EQ(p_value(1e-9), "< 0.001");
  EXPECT_EQ(wall_time(0.25), "0.25\u00A0s");
  EXPECT_EQ(wall_time(9.87), "9.9\u00A0s");
  EXPECT_EQ(wall_time(59.7), "1\u00A0min");
  EXPECT_EQ(wall_time(78), "1.3\u00A0min");
  EXPECT_EQ(wall_time(3599.9), "1\u00A0h");
  EXPECT_EQ(wall_time(3725), "1.03\u00A0h");
}

TEST(Html, WritesADashWhereThereIsNoNumber) {
  for (const auto& text : {percent(kNan), points(kNan), number(kNan), p_value(kNan),
                           wall_time(std::numeric_limits<double>::infinity())}) {
    EXPECT_EQ(text, "–");
  }
}

TEST(Html, EncodesTheBase64VectorsOfTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(Html, ATableHasACaptionAndHeadings) {
  const std::string html = Table("Cost & time", {"arm", "answers"}).row({"badge", "48"}).html();
  EXPECT_THAT(html, HasSubstr("<caption><span>Cost &amp; time</span></caption>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\">answers</th>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">badge</th><td>48</td>"));
}

}  // namespace
}  // namespace distal
