#include "distal/base/yaml.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& text) {
  return error_of<UsageError>([&] { parse_yaml(text, "r.yaml"); });
}

std::string again(const std::string& text) { return yaml_text(parse_yaml(text, "r.yaml")); }

std::string bomb(int levels) {
  std::string text = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n";
  for (int i = 1; i <= levels; ++i) {
    text += fmt::format("x{}: &x{} [", i, i);
    for (int k = 0; k < 9; ++k) text += fmt::format("{}*x{}", k > 0 ? ", " : "", i - 1);
    text += "]\n";
  }
  return text;
}

TEST(Yaml, TextComesBack) {
  for (const char* text : {"a: 1\nb:\n  - x\n  - {c: [d, ~]}\n", "{}\n", "[]\n", "~\n",
                           "a: \"~\"\nb: ~\nc: \"\"\nd: \"1\\n2\"\n\"e: f\": {g: h}\n"})
    EXPECT_EQ(again(text), text);
  EXPECT_EQ(again("\xEF\xBB\xBF# a comment\na: 'it''s'\n"), "a: it's\n");
}

TEST(Yaml, WhateverTextIsWrittenComesBack) {
  const std::vector<std::string> parts = {"a",
                                          " ",
                                          "\t",
                                          "\n",
                                          "\r",
                                          "\x7f",
                                          "\x01",
                                          "\x1b",
                                          "\xc2\x85",
                                          "\xc2\xa0",
                                          "\xe2\x80\xa8",
                                          "\xef\xbb\xbf",
                                          "\xf0\x9f\x98\x80",
                                          "#",
                                          ":",
                                          "-",
                                          "'",
                                          "\"",
                                          "\\",
                                          "[",
                                          "}",
                                          ",",
                                          "&",
                                          "*",
                                          "!",
                                          "|",
                                          "%",
                                          "~",
                                          "?",
                                          "null",
                                          "1",
                                          "---",
                                          "--- ",
                                          "... "};
  for (const std::string& first : parts) {
    for (const std::string& second : parts) {
      const std::string text = first + "x" + second;
      EXPECT_EQ(no_yaml_text(text), "");
      for (const std::string& whole : {text, second}) {
        Yaml section = Yaml::section({});
        section.set(whole, Yaml::of_text(whole, {}));
        const Yaml read = parse_yaml(yaml_text(section), "r.yaml");
        ASSERT_NE(read.find(whole), nullptr) << yaml_text(section);
        EXPECT_EQ(read.find(whole)->text, whole);
      }
    }
  }
}

TEST(Yaml, WhatCannotComeBackIsSaid) {
  EXPECT_EQ(no_yaml_text("d\xe9j\xe0"), "the byte 0xe9 in it, which is no UTF-8");
  EXPECT_EQ(no_yaml_text(std::string("a\0b", 3)), "a NUL character in it");
  EXPECT_EQ(no_yaml_text("a\xef\xbf\xbe"), "U+FFFE or U+FFFF in it, which are no characters");
  EXPECT_THAT(refusal("a: \xef\xbf\xbf"), StartsWith("r.yaml:1:4: not YAML: U+FFFE or U+FFFF"));
  EXPECT_THAT(refusal("a: \"\\uFFFF\""),
              StartsWith("r.yaml:1:4: text with U+FFFE or U+FFFF in it"));
}

TEST(Yaml, AnAliasIsACopy) {
  EXPECT_EQ(again("a: &a {b: 1}\nc: *a\n"), "a: {b: 1}\nc: {b: 1}\n");
  EXPECT_EQ(again("&k a: &v b\nc: *v\n"), "a: b\nc: b\n");
}

TEST(Yaml, WhatHasNoEndIsRefused) {
  EXPECT_EQ(
      refusal("question: &a [*a]"),
      "r.yaml:1:15: an alias ('*') within what it stands for has no end; write the value out");
  EXPECT_THAT(refusal("&a {b: {c: *a}}"), StartsWith("r.yaml:1:12: an alias"));
}

TEST(Yaml, ValuesAndDepthAreBoundedAliasesIncluded) {
  EXPECT_EQ(refusal(bomb(2)), "");
  EXPECT_THAT(refusal(bomb(8)), HasSubstr("more than 50000 values"));
  std::string nested = "a0: &a0 [" + std::string(30, '[') + std::string(30, ']') + "]\n";
  for (int i = 1; i < 4; ++i)
    nested += fmt::format("a{}: &a{} [[[[[[[[[[[[*a{}]]]]]]]]]]]]\n", i, i, i - 1);
  EXPECT_THAT(refusal(nested), HasSubstr("nested deeper than 64 levels"));
  for (const char* opening : {"[", "{a: b, c: [", "- ", "? "}) {
    std::string deep;
    while (deep.size() < 2000) deep += opening;
    EXPECT_THAT(refusal(deep), HasSubstr("nested deeper than 64 levels")) << opening;
  }
  EXPECT_THAT(refusal("[" + std::string(100000, ',') + "]"), HasSubstr("r.yaml:1:"));
  EXPECT_THAT(refusal(std::string(300000, 'x')),
              HasSubstr("300000 bytes of YAML, at most 262144 are read"));
  std::string comments = "a: 1\n";
  while (comments.size() < 1000000) comments += "# every option of every arm\n";
  EXPECT_EQ(refusal(comments), "");
}

TEST(Yaml, WhatIsNoRecipeIsRefusedAtItsPlace) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"), "r.yaml:3:1: 'a' stands here for the second time, the "
                                           "first is in line 1, column 1; keep one");
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"),
              StartsWith("r.yaml:2:1: a second document begins here"));
  EXPECT_THAT(refusal("a: &a {b: 1}\nc: {<<: *a}\n"), StartsWith("r.yaml:2:5: merge keys"));
  EXPECT_THAT(refusal("[a]: 1\n"), HasSubstr("a list or section is no key"));
  EXPECT_THAT(refusal("~: 1\n"), HasSubstr("nothing is no key"));
  EXPECT_THAT(refusal("a: !!python/object b\n"), HasSubstr("mean nothing here"));
  EXPECT_THAT(refusal("a: !set b\n"), HasSubstr("tags (!set) mean nothing here"));
  EXPECT_THAT(refusal("a: \"x\\0y\"\n"), HasSubstr("NUL"));
}

TEST(Yaml, WhatIsNoTextIsRefusedAtItsPlace) {
  EXPECT_THAT(refusal(std::string("a: 1\nb: \xFF\n")),
              StartsWith("r.yaml:2:4: not YAML: byte 0xff is no UTF-8"));
  EXPECT_THAT(refusal(std::string("a: 1\nb: \x04 2\n")),
              StartsWith("r.yaml:2:4: not YAML: control character 0x04"))
      << "the parser would end there";
  EXPECT_THAT(refusal(std::string("a\0b", 3)), HasSubstr("control character 0x00"));
  EXPECT_THAT(refusal(std::string("\xFF\xFE"
                                  "a\0",
                                  4)),
              HasSubstr("UTF-16"));
}

TEST(Yaml, MessagesAreOursAndNameTheCure) {
  EXPECT_EQ(refusal("a:\n\tb: 1\n"),
            "r.yaml:2:3: not YAML: a tab in the indentation; indent with spaces");
  EXPECT_THAT(refusal("a: [1\n"), HasSubstr("not YAML: a '[' is not closed; write its ']'"));
  EXPECT_EQ(refusal("a: b: c\n"), "r.yaml:1:5: not YAML: a second colon in the line, or a value "
                                  "where none can stand; put quotes around the text");
  EXPECT_EQ(refusal("a: \"b\n"),
            "r.yaml:1:6: not YAML: quotes are not closed; write the closing one");
  EXPECT_THAT(refusal("a: 'b\nc: 1\n\n"), HasSubstr("quotes are not closed"));
  EXPECT_EQ(refusal("a: *b\n"), "r.yaml:1:4: not YAML: an alias ('*') of an anchor ('&') that does "
                                "not stand before it; write the value out");
  EXPECT_EQ(refusal("a: @b\n"),
            "r.yaml:1:4: not YAML: a character that begins no value; put quotes around the text");
}

}  // namespace
}  // namespace distal
