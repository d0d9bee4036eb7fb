#include "base/text.h"

#include <gmock/gmock.h>

namespace distal {
namespace {

TEST(Text, ControlCharactersBecomeDots) {
  EXPECT_EQ(printable("\x1b]0;PWNED\x07\x1b[31mred"), ".]0;PWNED..[31mred");
  EXPECT_EQ(printable("a\nb\tc\rd\x7f"), "a.b.c.d.");
  EXPECT_EQ(printable("\xC2\x9B" "31m"), ".31m");  // CSI as one C1 character
  EXPECT_EQ(printable_lines("a\nb\tc\rd"), "a\nb\tc.d");
}

TEST(Text, WhatIsNoUtf8IsReplacedAndTheRestStays) {
  EXPECT_EQ(valid_utf8("Übung/N\xE4hen"), "Übung/N\xEF\xBF\xBDhen");
  EXPECT_EQ(valid_utf8("手術 \xF0\x9F\x8E\xA5"), "手術 \xF0\x9F\x8E\xA5");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(valid_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong '/'
  EXPECT_EQ(valid_utf8("\xF5\x80\x80\x80").size(), 12U);                          // above U+10FFFF
  EXPECT_EQ(valid_utf8("x\xE2\x82"), "x\xEF\xBF\xBD\xEF\xBF\xBD");                // cut off
}

TEST(Text, AnExcerptIsCutBetweenCharacters) {
  EXPECT_EQ(excerpt("short", 10), "short");
  EXPECT_EQ(excerpt("ääää", 5), "ää...");
  EXPECT_EQ(excerpt(std::string(100000, '['), 3), "[[[...");
}

}  // namespace
}  // namespace distal
