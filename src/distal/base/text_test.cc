#include "distal/base/text.h"

#include <set>
#include <vector>

#include <gmock/gmock.h>

namespace distal {
namespace {

TEST(Text, ControlCharactersBecomeDots) {
  EXPECT_EQ(printable("\x1b]0;PWNED\x07\x1b[31mred"), ".]0;PWNED..[31mred");
  EXPECT_EQ(printable("a\nb\tc\rd\x7f"), "a.b.c.d.");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            ".31m");  // CSI as one C1 character
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

TEST(Text, ASlugIsTheNameOfAFile) {
  for (const char* plain : {"margin", "a.b_c-d", "Margin2", "_x"}) EXPECT_EQ(slug(plain), plain);
  EXPECT_EQ(slug("margin, pool 50"), "margin-pool-50");
  EXPECT_THAT(slug("a/b"), testing::MatchesRegex("a-b-[0-9a-f]{8}"));
  EXPECT_THAT(slug("手術"), testing::MatchesRegex("[0-9a-f]{8}"));
  EXPECT_THAT(slug(std::string(300, 'x')), testing::MatchesRegex("x{71}-[0-9a-f]{8}"));
  const std::vector<std::string> texts = {"",
                                          ".",
                                          "..",
                                          "...",
                                          "-",
                                          "--out",
                                          "a/b",
                                          "a\\b",
                                          "a?b",
                                          "a\"b",
                                          "a\nb",
                                          std::string("a\0b", 3),
                                          "手術",
                                          "手",
                                          " a",
                                          "a ",
                                          ".hidden",
                                          "a.",
                                          std::string(300, 'x'),
                                          std::string(301, 'x'),
                                          "a-b"};
  std::set<std::string> slugs;
  for (const std::string& text : texts) {
    const std::string file = slug(text);
    EXPECT_THAT(file, testing::MatchesRegex("[A-Za-z0-9_][A-Za-z0-9._-]*")) << text;
    EXPECT_LE(file.size(), 80u);
    EXPECT_TRUE(slugs.insert(file).second) << text << " " << file;
  }
}

}  // namespace
}  // namespace distal
